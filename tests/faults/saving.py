"""One epoch of a small run written down without torch, and the judgement of what a fault left of it."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.runs.atomic import remove_temporaries
from mmrl.runs.checkpoint import encode, snapshot
from mmrl.runs.episodes import read_episode
from mmrl.runs.history import History, read_metrics
from mmrl.runs.manifest import BrokenRun, entries_of, files_of, metrics_checksum, sound_manifest
from mmrl.runs.recorder import Recorder
from mmrl.runs.slots import held, settle
from mmrl.runs.status import read_raw

COMMITTED = 3  # epochs; later ones are in slots


def state(epoch: int) -> dict[str, Any]:
    """What a checkpoint of an epoch is made of; some pages long."""
    return {"weights": np.random.default_rng(epoch).random(2_500), "epochs": [*range(epoch)]}


def files(epoch: int) -> dict[str, bytes]:
    """The checkpoint."""
    return encode(epoch, snapshot(state(epoch)))


def save_epoch(folder: Path, epoch: int, way: str = "commit") -> None:
    """What a recorder does with an epoch, until it is written: commit it, with an episode, and before it the one that
    is in a slot, put it into a slot, or do that and commit the one before it."""
    recorder = Recorder(folder, History(folder / "metrics.jsonl"))
    entries = entries_of(sound_manifest(folder)[0])
    recorder._base = entries[-1]["files"] if entries else {}
    recorder._held = held(folder, sound_manifest(folder)[0])[0]
    recorder._committed = time.monotonic() if way == "slot" else -math.inf
    episode = {"time": np.arange(50.0)} if way == "commit" else None
    recorder.keep({"epoch": epoch, "value_mean": epoch / 3}, episode, state(epoch), best=epoch == 1, versions={})
    recorder.save()
    recorder._wait()


def state_of(folder: Path) -> int:
    """The epoch that a resume would go on from, after all that it does first; raises when anything is torn."""
    for place in (folder, folder / "checkpoints", folder / "episodes"):
        remove_temporaries(place)
        assert not list(place.glob(".*"))
    rows = [row["epoch"] for row in read_metrics(folder / "metrics.jsonl")]
    settle(folder, History(folder / "metrics.jsonl"))
    manifest, faults = sound_manifest(folder)
    entries = entries_of(manifest)
    assert not faults, faults
    for entry in entries:  # the newest must be sound; so must those before it
        contents = files_of(folder, entry)
        assert contents["safetensors"] == files(entry["epoch"])[f"{entry['epoch']:06d}.safetensors"]
    epoch = int(entries[-1]["epoch"])
    before = range(min(epoch - 1, COMMITTED), epoch)  # of two slots one may be torn, unread, or not be committed yet
    assert [entry["epoch"] for entry in entries] in ([epoch], *([1, one, epoch] for one in before))
    assert min(epoch - 1, COMMITTED) <= read_raw(folder).get("epoch", 0) <= epoch, read_raw(folder)
    assert rows in ([*range(1, epoch + 1)], [*range(1, epoch + 2)]), rows
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
