"""Everything that a CUDA or MPS machine is asked, in less than five minutes, as one JSON: speed, and correctness.

python benchmarks/accelerator.py [-o FILE] [--minutes 5]

For each market and size of a batch: steps a second of every engine that is here, from the same settings, and an epoch
with its update. Results are checked against the compiled engine on the CPU: the cuda engine plays the same trajectories
but for rounding, the tensor engine others of the same law. What is left out is listed with the reason: its batch is too
large, or no time was left for it.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mmrl.learn.trainer import Trainer
from mmrl.rollout.devices import available_devices, cpu, cuda_lacks, tensor_lacks
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve

PRESETS = {"avellaneda-stoikov": 200, "quickstart": 500, "order-flow-small": 100}
"""Presets, and the steps of an episode here."""
COUNTS = (100, 1000, 10_000)
MOST_ROWS = 4_000_000
"""Of a batch, for its memory."""
TOO_LARGE, NO_TIME = f"too large: more than {MOST_ROWS:,} rows", "no time left"
"""Why a case is left out."""
APART = 4.0
"""Standard errors between the means of two engines that chance alone hardly makes."""


def main() -> None:
    """Measure, write the JSON, and exit with 1 where a result is wrong, with 2 where the file cannot be written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", type=Path, default=Path("accelerator.json"), help="file to write")
    parser.add_argument("--minutes", type=float, default=5.0, help="time that may be used")
    asked = parser.parse_args()
    device = available_devices()[-1]
    try:
        wrong = measure(asked.o, device, 60.0 * asked.minutes)
    except ConfigError as error:
        print(f"accelerator.py: {error}", file=sys.stderr)
        sys.exit(2)
    print(f"wrote {asked.o}" + "".join(f"\nWRONG: {line}" for line in wrong))
    sys.exit(1 if wrong else 0)


def measure(target: Path, device: str, seconds: float, counts: Sequence[int] = COUNTS) -> list[str]:
    """Measure every case that the time suffices for, small batches first; what is wrong, in lines.

    `target` is written before the first case, lest the time is spent on what cannot be kept, and after each, so that
    what was measured is there whatever ends the others. Raises ConfigError where it cannot be written.
    """
    began, longest = time.perf_counter(), 0.0
    found: dict[str, Any] = {"machine": _machine(device), "cases": [], "failed": [], "left_out": [], "wrong": []}
    names: list[dict[str, Any]] = [
        {"preset": preset, "steps": steps, "trajectories": count, "engine": engine, "device": where}
        for count in counts
        for preset, steps in PRESETS.items()
        for engine, where in _engines(_config(preset, steps, count, "compiled", "cpu"), device)
    ]
    _write(target, found)
    for name in names:
        start = time.perf_counter()
        if name["trajectories"] * name["steps"] > MOST_ROWS:
            found["left_out"].append(name | {"reason": TOO_LARGE})
        elif start + 2.0 * longest > began + seconds:
            found["left_out"].append(name | {"reason": NO_TIME})
        else:
            compiling = 0.0  # which no later case has to do
            try:
                found["cases"].append(name | _measured(_config(**name)))
                compiling = found["cases"][-1]["seconds_to_start"]
                print(json.dumps(_without_values(found["cases"][-1])), flush=True)
            except Exception as error:
                found["failed"].append(name | {"error": f"{type(error).__name__}: {error}"})
            longest = max(longest, time.perf_counter() - start - compiling)
        found["wrong"] = _compare(found["cases"]) + [f"failed: {case}" for case in found["failed"]]
        _write(target, found)
    return list(found["wrong"])


def _write(target: Path, found: dict[str, Any]) -> None:
    cases = [_without_values(case) for case in found["cases"]]
    try:
        target.write_text(json.dumps(found | {"cases": cases}, indent=1) + "\n")
    except OSError as error:
        raise ConfigError(f"-o {target} cannot be written: {error.strerror}: name another file") from None


def _without_values(case: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in case.items() if key != "values"}


def _machine(device: str) -> dict[str, Any]:
    name = torch.cuda.get_device_name() if device == "cuda" else platform.machine()
    return {"device": device, "name": name, "cpu": cpu(), "torch": torch.__version__, "cuda_engine": cuda_lacks()}


def _config(preset: str, steps: int, trajectories: int, engine: str, device: str) -> Config:
    changed = {"run.engine": engine, "run.device": device, "market.nt": steps, "training.nb": trajectories}
    return resolve(changed, None, preset, {})[0]


def _engines(config: Config, device: str) -> list[tuple[str, str]]:
    """Engines and devices that can simulate a config here, the reference first."""
    found = [("compiled", "cpu")]
    if device == "cuda" and not cuda_lacks():
        found.append(("cuda", "cuda"))
    if device != "cpu" and not tensor_lacks(config):
        found.append(("tensor", device))
    return found


def _measured(config: Config) -> dict[str, Any]:
    """Seconds to get ready, steps a second of three rollouts, seconds of an epoch; and the final values."""
    began = time.perf_counter()
    trainer = Trainer(config)
    ready = time.perf_counter() - began
    batch = trainer.rollout(1).numpy()
    final, lived = np.array(batch.final_value), batch.nnz
    rates = []
    for number in (2, 3, 4):
        began = time.perf_counter()
        rows = trainer.rollout(number)
        _wait(trainer.device)
        rates.append(rows.nnz / (time.perf_counter() - began))
    if not np.isfinite(final).all():
        raise ValueError("the final values are not all finite")
    trainer.step()  # compiles what learning needs
    _wait(trainer.device)
    began = time.perf_counter()
    trainer.step()
    _wait(trainer.device)
    return {
        "seconds_to_start": round(ready, 3),
        "rows": lived,
        "steps_per_second": sorted(round(rate) for rate in rates),
        "seconds_of_an_epoch": round(time.perf_counter() - began, 4),
        "value": float(final.mean()),
        "value_error": float(final.std(ddof=1) / np.sqrt(final.size)),
        "values": final.tolist() if len(final) <= COUNTS[1] else [],
    }


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
    if device == "mps":
        torch.mps.synchronize()


def _compare(cases: list[dict[str, Any]]) -> list[str]:
    """Lines on what differs from the compiled engine; adds the share of equal trajectories."""
    reference: dict[tuple[str, int], dict[str, Any]] = {}
    wrong = []
    for case in cases:
        key = case["preset"], case["trajectories"]
        if case["engine"] == "compiled":
            reference[key] = case
            continue
        right = reference.get(key)
        if right is None:  # it failed
            continue
        apart = abs(case["value"] - right["value"])
        if apart > APART * np.hypot(case["value_error"], right["value_error"]):
            wrong.append(f"{key} by {case['engine']}: value {case['value']:.5g}, not {right['value']:.5g}")
        if case["engine"] == "cuda" and case["values"]:
            # after the warm-up of both the policies are equal to rounding, so nearly all trajectories are
            case["equal"] = float(np.isclose(case["values"], right["values"], rtol=1e-3, atol=1e-3).mean())
            if case["equal"] < 0.9:
                wrong.append(f"{key} by cuda: only {case['equal']:.0%} of the trajectories are the compiled engine's")
    return wrong


if __name__ == "__main__":
    main()
