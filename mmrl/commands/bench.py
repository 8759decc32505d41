"""`mmrl bench`: how fast this machine simulates, learns and starts, as ratios to work that never changes."""

from __future__ import annotations

import json
from contextlib import nullcontext
from functools import partial
from typing import Any

from mmrl.bench import figures
from mmrl.bench.against import built
from mmrl.bench.cases import CASES, Case
from mmrl.bench.clock import LEAST_SECONDS
from mmrl.bench.turns import Worker, measure, narrate
from mmrl.plots.table import room
from mmrl.settings.errors import ConfigError

REPEATS, QUICK_REPEATS = 7, 3
QUICK_SECONDS = 0.1
"""Seconds for which the work of one figure is repeated with --quick."""


def bench(as_json: bool, quick: bool = False, against: str | None = None, only: str = "") -> int:
    """Measure, narrating on stderr, and print one JSON object or a table on stdout. Returns the exit code: 1 where a
    case failed that this machine has everything for."""
    cases = chosen(quick, only)
    seconds = QUICK_SECONDS if quick else LEAST_SECONDS
    known = figures.machine()
    with built(against, seconds, narrate) if against else nullcontext() as other:
        places: dict[str, Any] = {"here": partial(Worker, seconds=seconds)} | ({"there": other} if other else {})
        turns = measure(cases, places, QUICK_REPEATS if quick else REPEATS, narrate)
    found = figures.summary(turns)
    for name, reason in turns.failed.items():
        narrate(f"{name}: not measured: {reason}")
    if as_json:
        print(json.dumps({"machine": known, "cases": found, "not_measured": turns.failed}))
    else:
        print("\n".join(figures.report(found, room())))
    return int(any("this machine has no" not in reason for reason in turns.failed.values()))


def chosen(quick: bool, only: str) -> list[Case]:
    """The cases to measure. Raises ConfigError where there are none."""
    cases = [case for case in CASES if (case.quick or not quick) and only in case.name]
    if not cases:
        some = ", ".join(dict.fromkeys(case.name.split("/")[0] for case in CASES))
        raise ConfigError(f"--only {only!r} is in no name of a case{' of --quick' * quick}: try {some}")
    return cases
