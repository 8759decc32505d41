"""One epoch of a small run written down without torch, and the judgement of what a fault left of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mmrl.runs.atomic import remove_temporaries
from mmrl.runs.checkpoint import Snapshot, encode, snapshot
from mmrl.runs.episodes import read_episode
from mmrl.runs.history import History, read_metrics
from mmrl.runs.manifest import BrokenRun, entries_of, files_of, metrics_checksum, sound_manifest
from mmrl.runs.recorder import Recorder
from mmrl.runs.status import read_raw


def state(epoch: int) -> Snapshot:
    """What a checkpoint of an epoch is made of; some pages long."""
    return snapshot({"weights": np.random.default_rng(epoch).random(2_500), "epochs": [*range(epoch)]})


def files(epoch: int) -> dict[str, bytes]:
    """The checkpoint."""
    return encode(epoch, state(epoch))


def save_epoch(folder: Path, epoch: int) -> None:
    """What the recorder's thread does with an epoch, in this thread."""
    recorder = Recorder(folder, History(folder / "metrics.jsonl"))
    episode = {"time": np.arange(50.0)}
    recorder._write({"epoch": epoch, "value_mean": epoch / 3}, episode, state(epoch), epoch == 1, {})


def state_of(folder: Path) -> int:
    """The epoch that a resume would go on from, after all that it does first; raises when anything is torn."""
    manifest, faults = sound_manifest(folder)
    entries = entries_of(manifest)
    assert not faults, faults
    for entry in entries:  # the newest must be sound; so must those before it
        contents = files_of(folder, entry)
        assert contents["safetensors"] == files(entry["epoch"])[f"{entry['epoch']:06d}.safetensors"]
    epoch = int(entries[-1]["epoch"])
    for place in (folder, folder / "checkpoints", folder / "episodes"):
        remove_temporaries(place)
        assert not list(place.glob(".*"))
    assert read_raw(folder).get("epoch") in (epoch - 1, epoch), read_raw(folder)
    rows: list[dict[str, Any]] = read_metrics(folder / "metrics.jsonl")
    assert [row["epoch"] for row in rows] in ([*range(1, epoch + 1)], [*range(1, epoch + 2)]), rows
    history = History(folder / "metrics.jsonl")
    assert history.go_back(epoch, metrics_checksum(folder, epoch)) is None
    assert [row["epoch"] for row in read_metrics(folder / "metrics.jsonl")] == [*range(1, epoch + 1)]
    read_episode(folder)
    return epoch


def torn(folder: Path) -> str | None:
    """What is torn in a run, None if nothing."""
    try:
        state_of(folder)
    except (AssertionError, BrokenRun, OSError, ValueError, IndexError) as error:
        return repr(error)
    return None
