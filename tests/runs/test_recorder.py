"""The recorder: what is on disk when, and in which order it gets there."""

from __future__ import annotations

import errno
import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrl.runs.checkpoint import load
from mmrl.runs.commit import commit
from mmrl.runs.history import History, read_metrics
from mmrl.runs.manifest import entries_of, metrics_checksum, read_manifest
from mmrl.runs.read_checkpoint import BEST, of_epoch
from mmrl.runs.recorder import COMMIT_EVERY, Recorder
from mmrl.runs.slots import held, settle
from mmrl.runs.status import read_raw, write_status

VERSIONS = {"mmrl": "0"}


def state(epoch: int) -> dict[str, Any]:
    return {"w": np.full(5, float(epoch)), "epoch": epoch, "best": {}}


def rows(folder: Path) -> list[int]:
    return [row["epoch"] for row in read_metrics(folder / "metrics.jsonl")]


def committed(folder: Path, name: str = "manifest.json") -> list[int]:
    return [entry["epoch"] for entry in entries_of(read_manifest(folder, name))]


def kept_by(recorder: Recorder, epoch: int, best: bool = False, episode: Any = None) -> None:
    recorder.keep({"epoch": epoch}, episode, state(epoch), best=best, versions=VERSIONS)
    recorder.save()
    recorder._wait()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [0.0]
    monkeypatch.setattr("mmrl.runs.recorder.time.monotonic", lambda: now[0])
    return now


def test_a_recorder_writes_what_it_keeps_once_it_is_saved_flushed_or_closed(tmp_path: Path) -> None:
    open_before = len(os.listdir("/dev/fd"))
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))
    for epoch, go_on in enumerate((recorder.save, recorder.flush, recorder.close), 1):
        recorder.keep({"epoch": epoch}, {"time": np.arange(3.0)}, state(epoch), best=False, versions=VERSIONS)
        kept = load(tmp_path)[0] if epoch > 1 else 0
        assert kept == epoch - 1 and rows(tmp_path) == [*range(1, epoch)]
        go_on()
        recorder.flush()
        assert load(tmp_path)[0] == epoch == read_raw(tmp_path)["epoch"]
        assert (tmp_path / "episodes" / f"{epoch:06d}.npz").exists()
    assert len(os.listdir("/dev/fd")) == open_before


def test_none_is_lost_that_is_taken_and_no_row_comes_while_the_epoch_before_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))
    seen = []

    def slow(*given: Any) -> dict[str, str]:
        time.sleep(0.1)
        seen.append(rows(tmp_path))
        return commit(*given)

    monkeypatch.setattr("mmrl.runs.recorder.commit", slow)
    for epoch in (1, 2, 3):  # save() is called by the next one
        recorder.keep({"epoch": epoch}, None, state(epoch), best=False, versions=VERSIONS)
    assert seen == [[1]] and rows(tmp_path) == [1, 2]
    recorder.close()
    assert committed(tmp_path) == [2, 3] and rows(tmp_path) == [1, 2, 3]


def test_damage_that_was_noticed_is_told_by_every_manifest_from_then_on(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"), ["rows may be wrong"])
    for epoch in (1, 2):
        kept_by(recorder, epoch)
        recorder.flush()
        assert read_manifest(tmp_path)["noticed"] == ["rows may be wrong"]
    recorder.close()


def test_every_epoch_is_there_for_a_resume_and_a_second_passes_between_two_commits(
    tmp_path: Path, clock: list[float]
) -> None:
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))
    seen = []
    for epoch in range(1, 12):
        kept_by(recorder, epoch, episode={"time": np.arange(3.0)} if epoch == 6 else None)
        number, found, faults = load(tmp_path)
        assert number == epoch == found["epoch"] == len(rows(tmp_path)) and not faults
        seen.append((committed(tmp_path)[-1], read_raw(tmp_path)["epoch"]))
        clock[0] += 0.3 * COMMIT_EVERY
    assert seen == [(1, 1)] * 4 + [(4, 5)] * 4 + [(8, 9)] * 3  # committed is the one before, once
    assert committed(tmp_path) == [4, 8] and committed(tmp_path, "manifest.previous.json") == [1, 4]
    assert (tmp_path / "episodes" / "000006.npz").exists()
    recorder.flush()
    assert committed(tmp_path) == [10, 11] and committed(tmp_path, "manifest.previous.json") == [8, 10]
    assert read_raw(tmp_path)["epoch"] == 11 and not list((tmp_path / "checkpoints").glob("slot_*"))
    write_status(tmp_path, "paused")
    recorder.flush()  # nothing is new
    assert read_raw(tmp_path)["state"] == "paused" and committed(tmp_path) == [10, 11]
    clock[0] += 0.9 * COMMIT_EVERY
    kept_by(recorder, 12)
    assert committed(tmp_path) == [10, 11]
    recorder.close()
    assert read_raw(tmp_path)["epoch"] == 12 and committed(tmp_path) == [11, 12]


def best_of(folder: Path) -> tuple[int, int]:
    """The best epoch by its files, and by what a user gets."""
    manifest = read_manifest(folder)
    later = held(folder, manifest)[0]
    best = next((saved.epoch for saved in reversed(later) if saved.best), manifest["best_epoch"])
    return best, of_epoch(folder, BEST)[0]


@pytest.mark.parametrize("seed", range(5))
def test_the_best_epoch_is_there_at_every_moment(tmp_path: Path, clock: list[float], seed: int) -> None:
    rng, best = random.Random(seed), 0
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))
    for epoch in range(1, 60):
        better = epoch == 1 or rng.random() < (0.9 if epoch < 10 else 0.2)
        best = epoch if better else best
        graded = {**state(epoch), "best": {"epoch": best}}
        recorder.keep({"epoch": epoch}, None, graded, best=better, versions=VERSIONS)
        recorder.save()
        recorder._wait()
        assert best_of(tmp_path) == (best, best) and of_epoch(tmp_path, "last")[0] == epoch
        clock[0] += 0.05 * COMMIT_EVERY
        if rng.random() < 0.1:
            copy = shutil.copytree(tmp_path, tmp_path.parent / f"{tmp_path.name}-{epoch}")
            settle(copy, History(copy / "metrics.jsonl"))
            assert read_manifest(copy)["best_epoch"] == best and committed(copy)[-1] == epoch
            assert load(copy, best)[1]["best"] == {"epoch": best} and load(copy, epoch)[0] == epoch
    recorder.flush()
    assert read_manifest(tmp_path)["best_epoch"] == best and committed(tmp_path)[-1] == 59


def test_best_epochs_that_follow_each_other_wait_too(tmp_path: Path, clock: list[float]) -> None:
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))
    for epoch, newest in enumerate((1, 1, 1, 1, 4, 4), 1):
        kept_by(recorder, epoch, best=epoch <= 4)  # 6 is written over the best one
        assert committed(tmp_path)[-1] == newest
    recorder.close()
    assert committed(tmp_path) == [4, 5, 6]


def test_epochs_as_long_as_the_time_between_two_commits_are_committed_at_once(
    tmp_path: Path, clock: list[float]
) -> None:
    """A power cut costs no more of them than the one in work, though the first one was short."""
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))
    for epoch, newest in enumerate((1, 1, 3, 4, 5), 1):
        kept_by(recorder, epoch)
        assert committed(tmp_path)[-1] == newest and load(tmp_path)[0] == epoch
        clock[0] += (0.1 if epoch == 1 else 1.1) * COMMIT_EVERY
    assert committed(tmp_path) == [4, 5] and committed(tmp_path, "manifest.previous.json") == [3, 4]
    recorder.close()


def test_what_is_too_large_for_a_slot_is_committed(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mmrl.runs.recorder.LARGEST", 100)
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))
    for epoch in (1, 2, 3):
        kept_by(recorder, epoch)
        assert committed(tmp_path)[-1] == epoch and not list((tmp_path / "checkpoints").glob("slot_*"))
    recorder.close()


def test_an_epoch_that_cannot_be_kept_is_told_and_those_before_it_are_there(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))
    for epoch in (1, 2, 3):
        kept_by(recorder, epoch)

    def full(descriptor: int, data: bytes, at: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(OSError, match="slot_0"):
            kept_by(recorder, 4)
    assert load(tmp_path)[0] == 3
    recorder.close()
    assert committed(tmp_path) == [2, 3] and load(tmp_path)[0] == 3
    history = History(tmp_path / "metrics.jsonl")
    assert history.go_back(3, metrics_checksum(tmp_path, 3)) is None and rows(tmp_path) == [1, 2, 3]


def test_the_epoch_after_one_that_cannot_be_committed_is_kept(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))
    for epoch in (1, 2, 3):
        kept_by(recorder, epoch)
    clock[0] += COMMIT_EVERY

    def full(*given: Any) -> dict[str, str]:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("mmrl.runs.recorder.commit", full)
    recorder.keep({"epoch": 4}, None, state(4), best=False, versions=VERSIONS)
    recorder.save()  # commits 3 in the background
    with pytest.raises(OSError, match="No space"):
        recorder.keep({"epoch": 5}, None, state(5), best=False, versions=VERSIONS)
    assert load(tmp_path)[0] == 4
    recorder.close()
    assert load(tmp_path)[0] == 5 and rows(tmp_path) == [1, 2, 3, 4, 5] and committed(tmp_path) == [1]


def test_an_episode_that_cannot_be_written_costs_no_epoch(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))

    def full(*given: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for epoch in (1, 2):
        kept_by(recorder, epoch)
    monkeypatch.setattr("mmrl.runs.recorder.write_episode", full)
    with pytest.raises(OSError, match="No space"):
        kept_by(recorder, 3, episode={"time": np.arange(3.0)})
    assert load(tmp_path)[0] == 3
    recorder.close()
    assert committed(tmp_path) == [2, 3] and rows(tmp_path) == [1, 2, 3]


def test_an_epoch_is_in_its_slot_once_the_next_one_is_taken(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though its episode takes longer to write: who sees the next one has seen no other that a kill would cost."""
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))
    monkeypatch.setattr("mmrl.runs.recorder.write_episode", lambda *_: time.sleep(0.1))
    for epoch in (1, 2, 3, 4):
        recorder.keep({"epoch": epoch}, {"time": np.arange(3.0)}, state(epoch), best=False, versions=VERSIONS)
        assert epoch == 1 or load(tmp_path)[0] == epoch - 1
        recorder.save()
    recorder.close()


@pytest.mark.parametrize("number", range(12))
def test_a_commit_that_fails_anywhere_costs_no_epoch(
    tmp_path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """Whichever write to the disk fails, and all after it: a resume goes on from the epoch before at least."""
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))
    for epoch in range(1, 6):
        kept_by(recorder, epoch, best=epoch in (1, 4))
    clock[0] += COMMIT_EVERY
    left, fsync = [number], os.fsync

    def failing(descriptor: int) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.EIO, "Input/output error")
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(OSError, match="Input/output error"):
            kept_by(recorder, 6)  # commits 5 and 6
        recorder.close()
    before = load(tmp_path)[0]
    assert read_raw(tmp_path)["epoch"] <= before  # what could not be written is not told
    assert before >= 5 and of_epoch(tmp_path, BEST)[0] in (4, before)
    settle(tmp_path, History(tmp_path / "metrics.jsonl"))
    assert committed(tmp_path)[-1] == load(tmp_path)[0] == before and rows(tmp_path)[:before] == [*range(1, before + 1)]
    assert read_manifest(tmp_path)["best_epoch"] == 4


def test_what_a_killed_writer_left_goes_with_the_first_epoch_and_what_is_replaced_with_each(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))
    place = tmp_path / "checkpoints"
    place.mkdir()
    (place / "000009.json").write_text("left")
    (place / "folder").mkdir()
    for epoch in range(1, 5):
        kept_by(recorder, epoch)
        recorder.flush()
        newest = {f"{kept:06d}.{kind}" for kept in (epoch - 1, epoch) if kept for kind in ("json", "safetensors")}
        assert {path.name for path in place.iterdir()} == {*newest, "folder"}
    recorder.close()


def test_rows_and_checkpoint_are_on_disk_before_the_manifest_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))
    kept_by(recorder, 1)
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace
    named = {tmp_path.stat().st_ino: "run", (tmp_path / "checkpoints").stat().st_ino: "checkpoints"}
    named[(tmp_path / "metrics.jsonl").stat().st_ino] = "metrics"

    def synced(descriptor: int) -> None:
        calls.append(f"fsync {named.get(os.fstat(descriptor).st_ino, 'new')}")
        fsync(descriptor)

    def replaced(source: str, target: str) -> None:
        calls.append(f"rename {os.path.basename(target)}")
        replace(source, target)

    monkeypatch.setattr(os, "fsync", synced)
    monkeypatch.setattr(os, "replace", replaced)
    kept_by(recorder, 2)
    assert not calls
    recorder.flush()
    assert calls == [
        "fsync metrics", "fsync new", "fsync new", "fsync new",
        "rename 000002.safetensors", "rename 000002.json", "fsync checkpoints",
        "rename manifest.previous.json", "rename manifest.json", "fsync run",
        "fsync new", "rename status.json", "fsync run",
    ]  # fmt: skip
    recorder.close()
