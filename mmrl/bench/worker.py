"""The process of one case: gets ready, then measures once for each line it is sent, and answers with its figures.

python -P -m mmrl.bench.worker NAME SECONDS
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from mmrl.bench.cases import CALIBRATION, CASES, Case
from mmrl.bench.clock import LEAST_SECONDS, repeat_for


def ready(case: Case) -> Callable[[], dict[str, float]]:
    """What measures a case once: its figures by name."""
    module, function = case.make.split(":")
    measure: Callable[[], Any] = getattr(import_module(f"mmrl.bench.{module}"), function)(**case.given)

    def figures() -> dict[str, float]:
        found = measure()
        if not isinstance(found, dict):
            return {case.name: float(found)}
        return {f"{case.name}/{part}": float(value) for part, value in found.items()}

    return figures


def main(name: str, seconds: float = LEAST_SECONDS) -> None:
    """Serve one case until the input ends; `{"ready": true}` comes first, or `{"absent": reason}`."""
    from mmrl.bench.rollout import Absent

    repeat_for(seconds)
    case = next(case for case in (*CASES, *CALIBRATION) if case.name == name)
    answers, sys.stdout = sys.stdout, sys.stderr  # what a case prints is no answer

    def answer(content: dict[str, Any]) -> None:
        print(json.dumps(content), file=answers, flush=True)

    try:
        measure = ready(case)
    except Absent as reason:
        answer({"absent": str(reason)})
        return
    answer({"ready": True})
    for _ in sys.stdin:
        answer(measure())


if __name__ == "__main__":
    main(sys.argv[1], *map(float, sys.argv[2:]))
