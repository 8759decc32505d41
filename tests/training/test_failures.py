"""The line a failed training ends with."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest

from mmrl.training.failures import reason


def missing(place: Path) -> OSError:
    with pytest.raises(OSError) as caught:
        place.read_text()
    return caught.value


def test_a_folder_that_vanished_is_told_from_a_part_of_it_and_from_another_file(tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "checkpoints").mkdir(parents=True)
    lost = missing(run / "checkpoints" / "0007.pt")
    assert reason(lost, run) == f"a part of {run} (checkpoints/0007.pt) was moved or removed while it was trained"
    foreign = missing(tmp_path / "tape.csv")
    assert reason(foreign, run) == str(foreign)
    nameless = OSError(errno.ESTALE, "Stale file handle")
    assert reason(nameless, run) == str(nameless)
    shutil.rmtree(run)
    assert reason(lost, run).startswith(f"{run} was moved or removed while it was trained: ")
    assert reason(nameless, run).startswith(f"{run} was moved or removed while it was trained: ")
