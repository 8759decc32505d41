"""What only informs ends no training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.faults.harness import TINY, Nursery, records, trained


def test_a_grade_that_fails(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None], caught: Callable[..., None]
) -> None:
    child = trained(nursery, tmp_path, *TINY, "-ne", "3", "--name", "run", mutant="no_grade")
    assert len(records(tmp_path / "run")) == 3 and child.text().count("grade missing") == 1
    figure(23, "every grade fails: epochs trained, notes", "3, 1", "3, 1")
    trained(nursery, tmp_path, *TINY, "-ne", "3", "--name", "mutant", code=1, mutant="no_grade_no_run")
    caught(23, "what only informs may raise: the training ends as failed")
