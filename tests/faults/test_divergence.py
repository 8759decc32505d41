"""Numbers that are none: training stops before the optimiser moves anything, and says what was bad first."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.harness import TINY, Nursery, newest, records

CASES = {
    "nan_weight": "policy.",
    "nan_value_weight": "value",
    "exploding_reward": "re",
    "nan_reward": "reward",
    "impossible_action": "",
    "huge_rate": "",
}


@pytest.mark.parametrize(
    "case",
    ["nan_weight", *(pytest.param(case, marks=pytest.mark.nightly) for case in CASES if case != "nan_weight")],
)
def test_stopped_before_the_step(nursery: Nursery, tmp_path: Path, figure: Callable[..., None], case: str) -> None:
    arguments = [*TINY, "-ne", "6", "--results", str(tmp_path), "--name", "run", "--json"]
    child = nursery.mmrl(tmp_path, "train", *arguments, mutant=case)
    assert child.wait() == 5, child.text()
    assert "OPTIMISER STEPPED" not in child.text()  # with numbers that are none
    run = tmp_path / "run"
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "diverged" and CASES[case] in status["error"] and "not finite" in status["error"]
    assert newest(run) == 2 and [row["epoch"] for row in records(run)] == [1, 2]
    for path in [*run.rglob("*.json"), *run.rglob("*.jsonl"), child.out]:
        assert "NaN" not in path.read_text() and "Infinity" not in path.read_text(), path
    first = status["error"].split(" is not")[0]
    figure(12, f"{case.replace('_', ' ')}: exit 5, nothing of it kept; named first", first, "its name")


def test_a_rate_out_of_bounds_is_refused(nursery: Nursery, tmp_path: Path, figure: Callable[..., None]) -> None:
    child = nursery.mmrl(tmp_path, "train", *TINY, "-lr", "1e6", "--results", str(tmp_path / "results"))
    assert child.wait() == 2 and "training.lr" in child.text() and not (tmp_path / "results").exists(), child.text()
    figure(12, "a learning rate of 10^6: refused before anything is made, exit 2", "yes", "yes")


@pytest.mark.nightly
def test_an_unchecked_weight_is_caught(nursery: Nursery, tmp_path: Path, caught: Callable[..., None]) -> None:
    arguments = [*TINY, "-ne", "6", "--results", str(tmp_path), "--name", "run", "--json"]
    child = nursery.mmrl(tmp_path, "train", *arguments, mutant="nan_weight_unchecked")
    child.wait()
    assert "OPTIMISER STEPPED" in child.text() or child.code != 5
    caught(12, f"no check for NaN before the step: exit {child.code}, the optimiser stepped")
