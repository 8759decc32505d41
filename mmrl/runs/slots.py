"""checkpoints/slot_0 and slot_1: the epochs between two commits, each in one file, written over in turn.

A slot is written without waiting for the disk. A process that is killed leaves the newest one whole, or the one before
if it was being written; after a power cut a slot that is not whole, or whose rows are not in metrics.jsonl, counts for
nothing, and the newest checkpoint that the manifest lists counts.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import BrokenRun, naming, open_plain, read_plain
from mmrl.runs.commit import Saved, commit
from mmrl.runs.encoding import encoded
from mmrl.runs.history import History, matches
from mmrl.runs.listing import METRICS
from mmrl.runs.manifest import CHECKPOINT_LIMIT, entries_of, sound_manifest

NAMES = ("slot_0", "slot_1")
KINDS = ("safetensors", "json")
LARGEST = 2**23
"""Bytes of the tensors of an epoch that are written into a slot; more of them are committed at once."""
DIGEST = hashlib.sha256().digest_size


def name_of(epoch: int) -> str:
    """The file in which an epoch is written."""
    return NAMES[epoch % len(NAMES)]


class Slots:
    """Writes the slots of a run, whose files stay open until they are removed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._paths = {name: folder / "checkpoints" / name for name in NAMES}
        self._open: dict[str, int] = {}

    def write(self, saved: Saved, base: Mapping[str, str]) -> None:
        """Write an epoch over the one before the last. `base` are the files, with their SHA-256, of the newest
        checkpoint in the manifest: the slot counts as long as that is kept. Raises OSError."""
        name = name_of(saved.epoch)
        path = self._paths[name]
        with naming(path):
            if name not in self._open:
                self._open[name] = open_plain(path, os.O_WRONLY | os.O_CREAT)
            data, at = memoryview(_packed(saved, base)), 0
            while at < len(data):
                at += os.pwrite(self._open[name], data[at:], at)

    def remove(self) -> None:
        """Remove the slots: what they have is committed."""
        while self._open:
            with suppress(OSError):
                os.close(self._open.popitem()[1])
        remove(self._folder)


def _packed(saved: Saved, base: Mapping[str, str]) -> bytes:
    """What a slot has of an epoch."""
    files = [saved.files[f"{saved.epoch:06d}.{kind}"] for kind in KINDS]
    facts = {"epoch": saved.epoch, "best": saved.best, "metrics": saved.metrics, "base": base}
    content = b"".join([encoded({**facts, "sizes": [len(data) for data in files]}), b"\n", *files])
    return hashlib.sha256(content).digest() + content


def held(folder: Path, manifest: Mapping[str, Any]) -> tuple[list[Saved], list[str]]:
    """The epochs in slots that go on from a checkpoint of this manifest and are newer than all of them, oldest first,
    and what is wrong with other slots."""
    entries, found, faults = entries_of(dict(manifest)), [], []
    for name in NAMES:
        try:
            saved, base = _read(folder / "checkpoints" / name)
            if base not in [entry["files"] for entry in entries] or saved.epoch <= entries[-1]["epoch"]:
                continue
            if matches(folder / METRICS, saved.metrics or {}):
                found.append(saved)
            else:
                faults.append(f"{METRICS} does not match its SHA-256 up to epoch {saved.epoch}, which only a slot has")
        except FileNotFoundError:
            continue
        except (OSError, BrokenRun) as error:
            faults.append(str(error))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            faults.append(f"checkpoints/{name} is not whole: its process was killed as it wrote it, or it is damaged")
    return sorted(found, key=lambda saved: saved.epoch), faults


def _read(path: Path) -> tuple[Saved, dict[str, str]]:
    """What was written. Raises FileNotFoundError, OSError, and errors of many kinds where it is not whole."""
    data = read_plain(path, CHECKPOINT_LIMIT)
    at = data.index(b"\n", DIGEST) + 1
    header = json.loads(data[DIGEST:at])
    epoch, (tensors, tree) = header["epoch"], header["sizes"]
    end = at + tensors + tree
    if hashlib.sha256(memoryview(data)[DIGEST:end]).digest() != data[:DIGEST]:
        raise ValueError
    files = (data[at : at + tensors], data[at + tensors : end])
    named = {f"{epoch:06d}.{kind}": content for kind, content in zip(KINDS, files, strict=True)}
    return Saved(epoch, named, dict(header["metrics"]), header["best"] is True), dict(header["base"])


def settle(folder: Path, history: History) -> list[str]:
    """Commit the epochs that only slots have and remove the slots; returns what is wrong with them.

    Rows of `history` after those epochs are removed. Only for the holder of the lock. Raises OSError and BrokenRun.
    """
    manifest, _ = sound_manifest(folder)
    found, faults = held(folder, manifest)
    if found:
        history.go_back(found[-1].epoch, found[-1].metrics)
    for saved in found:
        commit(folder, saved, manifest.get("versions", {}), history.sync)
    remove(folder)
    return faults


def remove(folder: Path) -> None:
    """Remove the slots of a run."""
    for path in (folder / "checkpoints" / name for name in NAMES):
        if path.is_file():
            path.unlink()


def reached(folder: Path) -> int:
    """The newest epoch that a resume goes on from, 0 if there is none, unless its files are damaged."""
    manifest, _ = sound_manifest(folder)
    found, _ = held(folder, manifest)
    return found[-1].epoch if found else max((int(entry["epoch"]) for entry in entries_of(manifest)), default=0)
