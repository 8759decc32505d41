"""manifest.json: the valid checkpoints with the SHA-256 of their files. Replacing it is the commit point."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import BrokenRun, durable_write, read_plain
from mmrl.runs.checksum import sha256, verified, with_checksum

__all__ = ["BrokenRun", "FutureRun", "read_manifest", "sha256", "sound_manifest", "write_manifest"]

SCHEMA = 2
"""Of run folders: 2 since moments are vectors and epochs between two checkpoints are in slots."""
CHECKPOINT_LIMIT = 2**29  # bytes; the largest networks allowed take 400 MB
CURRENT, PREVIOUS = "manifest.json", "manifest.previous.json"


class FutureRun(BrokenRun):
    """A run folder written by a later version."""


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Commit: from now on the newest checkpoint of this manifest counts; the previous manifest is kept too."""
    with contextlib.suppress(BrokenRun):  # a damaged manifest must not replace a valid previous one
        if read_manifest(folder):
            keep_previous(folder)
    durable_write(folder / CURRENT, manifest_text(manifest))


def manifest_text(manifest: dict[str, Any]) -> bytes:
    """The content of manifest.json."""
    return with_checksum({"schema": SCHEMA, **manifest})


def keep_previous(folder: Path) -> None:
    """Keep the manifest, which is sound, as the previous one; nothing where it is gone."""
    current, previous, temporary = (os.path.join(folder, name) for name in (CURRENT, PREVIOUS, f".{PREVIOUS}.tmp"))
    try:
        try:
            os.link(current, temporary)  # on disk already: costs no fsync of its own
        except FileExistsError:
            os.unlink(temporary)
            os.link(current, temporary)
        os.replace(temporary, previous)
    except FileNotFoundError:
        pass
    except OSError:  # a file system without hard links
        durable_write(folder / PREVIOUS, read_plain(folder / CURRENT))
    finally:
        with contextlib.suppress(OSError):  # two names of one file stay as they are when one is renamed to the other
            os.unlink(temporary)


def sound_manifest(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """The manifest, or the previous one if it is damaged or missing, and what was wrong.

    Raises BrokenRun when neither can be used and FutureRun on a run of a later version.
    """
    try:
        manifest = read_manifest(folder)
        if manifest or not ((folder / PREVIOUS).exists() or _trained(folder)):
            return manifest, []
        fault = BrokenRun(f"{folder / CURRENT} is missing: restore it from a copy")
    except FutureRun:
        raise
    except BrokenRun as error:
        fault = error
    try:
        previous = read_manifest(folder, PREVIOUS)
    except BrokenRun:
        previous = {}
    if not entries_of(previous):
        raise fault
    return previous, [f"the manifest is damaged ({fault})"]


def _trained(folder: Path) -> bool:
    """Whether there are checkpoints that a manifest must have listed; the first one is written before its manifest."""
    return any(path.stem > f"{1:06d}" for path in (folder / "checkpoints").glob("[0-9]*.safetensors"))


def read_manifest(folder: Path, name: str = CURRENT) -> dict[str, Any]:
    """The manifest, empty when there is none yet. Raises BrokenRun if it is damaged or of a later version."""
    try:
        manifest = verified(read_plain(folder / name))
    except FileNotFoundError:
        return {}
    except BrokenRun:
        raise
    except ValueError as error:
        raise BrokenRun(f"{folder / name} is damaged ({error}): restore it from a copy") from None
    if not isinstance(manifest.get("schema"), int):
        raise BrokenRun(f"{folder / name} has no schema version: it was not written by mmrl")
    if manifest["schema"] > SCHEMA:
        found = manifest["schema"]
        raise FutureRun(f"{folder.name} has schema {found}, this version of mmrl reads up to {SCHEMA}: update mmrl")
    return manifest


def entries_of(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    """The checkpoints that a manifest lists, oldest first; malformed entries are left out."""
    entries = manifest.get("checkpoints", [])
    if not isinstance(entries, list):
        return []
    return [
        e
        for e in entries
        if isinstance(e, dict) and isinstance(e.get("epoch"), int) and isinstance(e.get("files"), dict)
    ]


def metrics_checksum(folder: Path, epoch: int) -> dict[str, Any] | None:
    """Size and SHA-256 of metrics.jsonl when the checkpoint of an epoch was committed; None if not recorded."""
    for entry in entries_of(sound_manifest(folder)[0]):
        if entry["epoch"] == epoch and isinstance(entry.get("metrics"), dict):
            return dict(entry["metrics"])
    return None


def files_of(folder: Path, entry: dict[str, Any]) -> dict[str, bytes]:
    """The files of a checkpoint by their suffix. Raises OSError or ValueError unless all match their SHA-256."""
    stem, contents = f"{entry['epoch']:06d}", {}
    if set(entry["files"]) != {f"{stem}.safetensors", f"{stem}.json"}:
        raise ValueError(f"its files are named {sorted(entry['files'])}")
    for name, expected in entry["files"].items():
        contents[name.rpartition(".")[2]] = data = read_plain(folder / "checkpoints" / name, CHECKPOINT_LIMIT)
        if sha256(data) != expected:
            raise ValueError(f"{name} does not match its SHA-256")
    return contents
