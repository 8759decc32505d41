"""Runs that wait for their turn: nobody else has them, and what is asked of them is done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mmrl.runs import control, listing, store
from mmrl.runs.lock import RunBusy, RunLock, is_locked
from mmrl.runs.status import write_status
from mmrl.settings.sources import resolve
from mmrl.training.waiting import Waiting


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    found = []
    for seed in (0, 1, 2):
        config, origins = resolve({"run.seed": seed, "run.name": f"a{seed}", "run.results": str(tmp_path)})
        found.append(store.create(config, origins))
        write_status(found[-1], "interrupted")
    return found


def test_they_are_locked_and_called_waiting_until_their_turn(folders: list[Path]) -> None:
    waiting = Waiting(folders)
    assert [listing.describe(folder).state for folder in folders] == ["waiting"] * 3 and all(map(is_locked, folders))
    with pytest.raises(RunBusy):
        store.rename(folders[1], "b")
    lock, wanted = waiting.next()
    assert lock.folder == folders[0] and wanted and len(waiting) == 2 and is_locked(folders[0])
    lock.release()
    waiting.leave()
    assert not any(map(is_locked, folders))
    assert [listing.describe(folder).state for folder in folders] == ["interrupted"] * 3  # the first one by its reader


def test_one_that_is_asked_to_stop_is_not_trained_and_one_that_is_changed_keeps_the_change(folders: list[Path]) -> None:
    control.request(folders[0], "stop")  # before anybody waited: a new beginning forgets it
    waiting = Waiting(folders)
    control.request(folders[1], "stop", lr=0.5)
    assert waiting.next()[1]
    lock, wanted = waiting.next()
    assert not wanted and not is_locked(lock.folder) and listing.describe(lock.folder).state == "interrupted"
    assert control.read_control(folders[1]) == {"want": "run", "set": {"lr": 0.5}}
    waiting.leave()


def test_where_one_is_taken_none_is_kept(folders: list[Path]) -> None:
    with RunLock(folders[2]):
        with pytest.raises(RunBusy):
            Waiting(folders)
        assert not is_locked(folders[0]) and listing.describe(folders[0]).state == "interrupted"


HEIR = """
import os, sys
from pathlib import Path
from mmrl.runs.lock import HANDED, RunBusy, RunLock
folder, other = map(Path, sys.argv[1:])
try:
    RunLock(other).take()
    print("took another one's lock")
except RunBusy:
    pass
with RunLock(folder).take() as lock:
    print(HANDED in os.environ, os.get_inheritable(lock.descriptor), flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_handed_over_without_a_gap(folders: list[Path]) -> None:
    lock, others = RunLock(folders[0]).take(), RunLock(folders[1]).take()
    environment = {**os.environ, **lock.hand_over(), "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    heir = subprocess.Popen(
        [sys.executable, "-c", HEIR, str(folders[0]), str(folders[1])],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, pass_fds=(lock.descriptor,),
    )  # fmt: skip
    lock.release()
    assert is_locked(folders[0])
    assert heir.stdout is not None and heir.stdout.readline() == "False False\n"
    heir.communicate("")
    assert not is_locked(folders[0]) and heir.returncode == 0
    others.release()


@pytest.mark.parametrize("given", ["9" * 30, "9" * 5000, "-1", "abc", "\u0663", "1", ""])
def test_a_lock_that_nobody_handed_over_is_taken_as_any(
    folders: list[Path], given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MMRL_LOCK", given)
    with RunLock(folders[0]).take():
        assert is_locked(folders[0])
    assert not is_locked(folders[0])
