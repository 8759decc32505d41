"""Durable writes, the lock, metrics, status, control and episodes under faults."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import threading
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrl.runs.atomic import BrokenRun, Replacement, durable_write, remove_temporaries
from mmrl.runs.control import read_control, request
from mmrl.runs.episodes import episode_epochs, latest_episode, read_episode, write_episode
from mmrl.runs.lock import RunBusy, RunLock, is_locked, still_held
from mmrl.runs.status import read_status, write_status

HOLD = """
import sys, time
from pathlib import Path
from mmrl.runs.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_durable_write_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    for data in (b"old", b"new", b""):
        durable_write(tmp_path / "file", data)
        assert (tmp_path / "file").read_bytes() == data
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("call", ["write", "fsync", "replace"])
def test_a_failed_write_keeps_the_old_file_and_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = tmp_path / "file"
    durable_write(path, b"old")

    def fail(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, call, fail)
    with pytest.raises(OSError, match=r"No space left.*file") as caught:
        durable_write(path, b"new")
    monkeypatch.undo()
    assert caught.value.errno == errno.ENOSPC
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["file"]


def test_the_order_is_sync_rename_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, r=real: (calls.append(n), r(*a))[1])
    durable_write(tmp_path / "file", b"x")
    assert calls == ["fsync", "replace", "fsync"]


def test_files_of_a_folder_are_all_on_disk_before_the_first_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("fsync", "replace"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os,
            name,
            lambda *a, n=name, r=real: (calls.append(f"{n} {Path(a[-1]).name}" if n == "replace" else n), r(*a))[1],
        )
    with Replacement(tmp_path, {"b": b"1", "a": b"2"}) as new:
        new.sync()
        new.publish()
    assert calls == ["fsync", "fsync", "replace b", "replace a", "fsync"]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"b": b"1", "a": b"2"}


def test_of_several_replacements_all_are_being_written_before_the_first_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    for name in ("write", "posix_fadvise", "fsync", "replace"):
        if hasattr(os, name):
            real = getattr(os, name)
            monkeypatch.setattr(os, name, lambda *a, n=name, r=real: (calls.append(n), r(*a))[1])
    (tmp_path / "a").mkdir()
    with Replacement(tmp_path / "a", {"x": b"1", "y": b"2"}) as first, Replacement(tmp_path, {"z": b"3"}) as second:
        first.sync()
        second.sync()
        first.publish()
        assert (tmp_path / "a" / "y").read_bytes() == b"2" and not (tmp_path / "z").exists()
        second.publish()
    begun = [call for call in ("write", "posix_fadvise") if hasattr(os, call)]
    assert calls == begun * 3 + ["fsync"] * 3 + ["replace"] * 2 + ["fsync", "replace", "fsync"]
    assert (tmp_path / "z").read_bytes() == b"3"


def test_a_replacement_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    durable_write(tmp_path / "a", b"old")
    before = len(os.listdir("/dev/fd"))
    for sync in (False, True):
        with pytest.raises(KeyboardInterrupt), Replacement(tmp_path, {"a": b"new", "b": b"new"}) as new:
            assert len(os.listdir(tmp_path)) == 3
            if sync:
                new.sync()
            raise KeyboardInterrupt
        assert os.listdir(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == b"old"
    with pytest.raises(OSError, match=r"missing/a'"), Replacement(tmp_path / "missing", {"a": b""}):
        pass
    assert len(os.listdir("/dev/fd")) == before


@pytest.mark.parametrize(("call", "failing", "replaced"), [("fsync", 2, ""), ("replace", 1, ""), ("replace", 2, "b")])
def test_of_files_that_cannot_all_be_written_only_the_first_are_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, failing: int, replaced: str
) -> None:
    for name in "ba":
        durable_write(tmp_path / name, b"old")
    real, left = getattr(os, call), [failing]

    def fail(*given: Any) -> Any:
        left[0] -= 1
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(*given)

    monkeypatch.setattr(os, call, fail)
    with (
        pytest.raises(OSError, match=rf"No space left.*{'b' if failing == 1 else 'a'}'"),
        Replacement(tmp_path, {"b": b"new", "a": b"new"}) as new,
    ):
        new.sync()
        new.publish()
    monkeypatch.undo()
    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {name: b"new" if name in replaced else b"old" for name in "ba"}


def test_temporaries_of_dead_writers_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".status.json.1.tmp").write_text("half")
    (tmp_path / "status.json").write_text("{}")
    remove_temporaries(tmp_path)
    assert os.listdir(tmp_path) == ["status.json"]


def test_a_second_process_is_refused_and_told_by_whom_until_the_first_is_killed(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    try:
        assert child.stdout.readline() == "held\n"
        assert is_locked(tmp_path)
        with pytest.raises(RunBusy, match=f"process {child.pid} on '{os.uname().nodename}'"), RunLock(tmp_path):
            pass
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert not is_locked(tmp_path)
    with RunLock(tmp_path):  # no file to clear away by hand
        pass


def test_someone_looking_at_the_lock_does_not_keep_a_trainer_out(tmp_path: Path) -> None:
    (tmp_path / "lock").touch()
    with (tmp_path / "lock").open() as looking:
        fcntl.flock(looking, fcntl.LOCK_SH)  # what is_locked() holds for an instant
        timer = threading.Timer(0.05, fcntl.flock, (looking, fcntl.LOCK_UN))
        timer.start()
        with RunLock(tmp_path):
            pass
        timer.join()


def test_a_link_in_place_of_the_lock_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "lock").symlink_to(tmp_path / "victim")
    with pytest.raises(BrokenRun), RunLock(tmp_path):
        pass
    assert (tmp_path / "victim").read_text() == "precious"


def test_an_unfinished_run_without_a_trainer_has_crashed(tmp_path: Path) -> None:
    with RunLock(tmp_path):
        write_status(tmp_path, "running", epoch=3, target=9)
        assert read_status(tmp_path)["state"] == "running"
    status = read_status(tmp_path)
    assert status["state"] == "crashed" and status["epoch"] == 3 and status["pid"] == os.getpid()
    started = status["started"]
    write_status(tmp_path, "finished")
    assert read_status(tmp_path)["state"] == "finished" and read_status(tmp_path)["started"] == started


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff\xfe", b"null", b"[" * 100_000])
def test_broken_status_and_control_want_nothing(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "status.json").write_bytes(data)
    (tmp_path / "control.json").write_bytes(data)
    assert read_status(tmp_path) == {}
    assert read_control(tmp_path) == {"want": "run", "set": {}}


def test_control_keeps_live_values_and_refuses_wrong_ones(tmp_path: Path) -> None:
    request(tmp_path, "pause", lr=0.01)
    request(tmp_path, "run", entropy=0.5)
    assert read_control(tmp_path) == {"want": "run", "set": {"lr": 0.01, "entropy": 0.5}}
    for wrong in ({"lr": 2.0}, {"lr": float("nan")}, {"entropy": -1.0}, {"gamma": 0.1}):
        with pytest.raises(ValueError):
            request(tmp_path, "run", **wrong)
    with pytest.raises(ValueError):
        request(tmp_path, "explode")
    (tmp_path / "control.json").write_text('{"want": ["stop"], "set": {"lr": 1e9, "entropy": "1", "x": 1}}')
    assert read_control(tmp_path) == {"want": "run", "set": {}}


def test_episodes_come_back_and_objects_are_refused(tmp_path: Path) -> None:
    assert latest_episode(tmp_path) is None
    for epoch in (10, 9):
        write_episode(tmp_path, epoch, {"time": np.arange(3.0), "alive": np.full(3, epoch)})
    assert episode_epochs(tmp_path) == [9, 10]
    assert read_episode(tmp_path)["alive"].tolist() == [10, 10, 10]
    assert read_episode(tmp_path, 9)["time"].tolist() == [0.0, 1.0, 2.0]
    with pytest.raises(FileNotFoundError):
        read_episode(tmp_path, 8)
    np.savez(tmp_path / "episodes" / "000011.npz", evil=np.array([{}], dtype=object))
    with pytest.raises(ValueError):
        read_episode(tmp_path)


def test_an_episode_is_what_numpy_reads_and_its_long_arrays_are_compressed(tmp_path: Path) -> None:
    arrays: dict[str, np.ndarray] = {
        "short": np.linspace(0.0, 1.0, 200),
        "whole": np.arange(5_000, dtype=np.int32) % 7,
        "strided": np.arange(3_000.0).reshape(2, 1_500).T,
        "wide": np.float32(1.5) * np.ones((3, 65), np.float32),
        "empty": np.zeros((0, 4), np.int64),
        "one": np.array(2.5),
    }
    for epoch in (10, 20):  # the second finds what was remembered of the first
        write_episode(tmp_path, epoch, arrays)
        path = tmp_path / "episodes" / f"{epoch:06d}.npz"
        with np.load(path, allow_pickle=False) as found:
            for name, array in arrays.items():
                assert found[name].dtype == array.dtype and found[name].shape == array.shape
                np.testing.assert_array_equal(found[name], array)
        read = read_episode(tmp_path, epoch)
        assert read.keys() == arrays.keys() and all(np.array_equal(read[name], arrays[name]) for name in arrays)
    with zipfile.ZipFile(path) as archive:
        stored = {member.filename: member.compress_size for member in archive.infolist()}
    assert stored["whole.npy"] < arrays["whole"].nbytes / 10 and stored["short.npy"] > arrays["short"].nbytes
    with pytest.raises(ValueError, match="numbers only"):
        write_episode(tmp_path, 30, {"evil": np.array([{}], dtype=object)})


def test_a_folder_in_the_place_of_a_file_is_set_aside_with_all_it_holds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for k in range(2):
        (tmp_path / "file").mkdir()
        (tmp_path / "file" / "kept").write_text(str(k))
        durable_write(tmp_path / "file", b"new")
        assert (tmp_path / "file").read_bytes() == b"new"
        (tmp_path / "file").unlink()
    assert sorted(os.listdir(tmp_path)) == ["file.folder", "file.folder_1"]
    assert [(tmp_path / name / "kept").read_text() for name in ("file.folder", "file.folder_1")] == ["0", "1"]
    assert f"{tmp_path / 'file'} was a folder: it is file.folder_1 now" in caplog.text


def test_what_is_no_file_in_the_place_of_the_lock_neither_blocks_nor_guards(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "lock")
    assert not is_locked(tmp_path)
    with pytest.raises(BrokenRun, match="lock is not a regular file"):
        RunLock(tmp_path).take()
    (tmp_path / "lock").unlink()
    (tmp_path / "lock").symlink_to("/dev/zero")
    assert not is_locked(tmp_path)
    with pytest.raises(BrokenRun, match="lock is a link"):
        RunLock(tmp_path).take()


def test_a_lock_whose_file_was_replaced_is_no_longer_held(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    assert still_held(folder)  # by nobody
    with RunLock(folder) as lock:
        assert still_held(folder)
        folder.rename(tmp_path / "other")
        lock.folder = tmp_path / "other"
        assert still_held(tmp_path / "other")
        (tmp_path / "other" / "lock").unlink()
        assert not still_held(tmp_path / "other")
        (tmp_path / "other" / "lock").touch()
        assert not still_held(tmp_path / "other")
