"""A worker of a sweep: which ends of trainings, one after the other, end it. No training runs: ends are told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mmrl.commands.sweep import DIVERGED, Worker
from mmrl.training.children import Heard

FAILED, COMPLETE, PRUNED = 1, 0, 143


@pytest.mark.parametrize(
    ("ends", "failures", "states"),
    [
        ((FAILED, FAILED, FAILED), 3, ["failed"] * 3),
        ((FAILED, COMPLETE, FAILED), 1, ["failed", "complete", "failed"]),
        ((FAILED, FAILED, PRUNED, FAILED), 1, ["failed", "failed", "pruned", "failed"]),
        ((FAILED, DIVERGED, DIVERGED, FAILED), 1, ["failed"] * 4),
    ],
)
def test_only_failures_one_after_the_other_are_counted(ends: tuple[int, ...], failures: int, states: list[str]) -> None:
    told: list[str] = []
    study: Any = SimpleNamespace(end=lambda trial, state: told.append(state))
    board: Any = SimpleNamespace(state=lambda name, state: None)
    worker = Worker(study, board, target=9, at_once=1)
    for number, end in enumerate(ends):
        name = f"trial {number}"
        worker.trials[name] = Any  # type: ignore[assignment]
        if end == PRUNED:
            worker.pruned.add(name)
        worker._take(Heard(name, "ended", end), stopping=False)
    assert (worker.failures, told) == (failures, states)
