"""The recorder: what is on disk when, and in which order it gets there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrl.runs.checkpoint import load
from mmrl.runs.history import History, read_metrics
from mmrl.runs.recorder import STATUS_EVERY, Recorder
from mmrl.runs.status import read_raw, write_status

VERSIONS = {"mmrl": "0"}


def state(epoch: int) -> dict[str, Any]:
    return {"w": np.full(5, float(epoch)), "epoch": epoch}


def test_a_recorder_writes_what_it_keeps_once_it_is_started_flushed_or_closed(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))
    for epoch, write in enumerate((recorder.start, recorder.flush, recorder.close), 1):
        recorder.keep({"epoch": epoch}, {"time": np.arange(3.0)}, state(epoch), best=False, versions=VERSIONS)
        kept = load(tmp_path)[0] if epoch > 1 else 0
        assert kept == epoch - 1 and len(read_metrics(tmp_path / "metrics.jsonl")) == epoch - 1
        write()
        recorder.flush()
        assert load(tmp_path)[0] == epoch == read_raw(tmp_path)["epoch"]
        assert [row["epoch"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [*range(1, epoch + 1)]
        assert (tmp_path / "episodes" / f"{epoch:06d}.npz").exists()


def kept_by(recorder: Recorder, epoch: int) -> None:
    recorder.keep({"epoch": epoch}, None, state(epoch), best=False, versions=VERSIONS)
    recorder._wait()


def test_the_status_has_an_epoch_now_and_then_and_the_newest_one_when_all_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("mmrl.runs.recorder.time.monotonic", lambda: now[0])
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))
    told = []
    for epoch in range(1, 8):
        kept_by(recorder, epoch)
        assert load(tmp_path)[0] == epoch == len(read_metrics(tmp_path / "metrics.jsonl"))
        told.append(read_raw(tmp_path)["epoch"])
        now[0] += 0.4 * STATUS_EVERY
    assert told == [1, 1, 1, 4, 4, 4, 7]
    kept_by(recorder, 8)
    recorder.flush()
    assert read_raw(tmp_path)["epoch"] == 8
    write_status(tmp_path, "paused")
    recorder.flush()  # nothing is new
    assert read_raw(tmp_path)["state"] == "paused"
    kept_by(recorder, 9)
    recorder.close()
    assert read_raw(tmp_path)["epoch"] == 9


def test_what_a_killed_writer_left_goes_with_the_first_epoch_and_what_is_replaced_with_each(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path, History(tmp_path / "metrics.jsonl"))
    place = tmp_path / "checkpoints"
    place.mkdir()
    (place / "000009.json").write_text("left")
    (place / "folder").mkdir()
    for epoch in range(1, 5):
        kept_by(recorder, epoch)
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
    assert calls == [
        "fsync metrics", "fsync new", "fsync new", "fsync new",
        "rename 000002.safetensors", "rename 000002.json", "fsync checkpoints",
        "rename manifest.previous.json", "rename manifest.json", "fsync run",
    ]  # fmt: skip
    recorder.close()
