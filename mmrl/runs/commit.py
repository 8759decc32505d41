"""How an epoch becomes durable: write checkpoint files, then the manifest that lists them, then delete old ones."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from mmrl.runs.atomic import Replacement, inner_folder
from mmrl.runs.checksum import sha256
from mmrl.runs.manifest import CURRENT, entries_of, keep_previous, manifest_text, sound_manifest

KEPT = 2  # newest checkpoints kept beside the best
OWN = re.compile(r"[0-9]{6,}\.(safetensors|json)")
"""Names of the files of a checkpoint."""


class Saved(NamedTuple):
    """An epoch as it goes to disk."""

    epoch: int
    files: dict[str, bytes]
    """Of its checkpoint, by name."""
    metrics: dict[str, Any] | None = None
    """Size and SHA-256 of metrics.jsonl up to this epoch."""
    best: bool = False
    """Whether its policy is the best one up to now."""


def commit(
    folder: Path,
    saved: Saved,
    versions: Mapping[str, Any],
    sync: Callable[[], None] = lambda: None,
    noticed: Sequence[str] = (),
    beside: Mapping[str, bytes] | None = None,
) -> dict[str, str]:
    """Write the checkpoint of an epoch, commit it in the manifest, then remove the checkpoints no longer kept; returns
    the SHA-256 of its files by name.

    `sync` returns once the metrics up to this epoch are on disk; it is called before the manifest covers them.
    `noticed` lists damage found when resuming, `beside` has files of the run by name that are replaced after the
    manifest, at once. Raises OSError. A valid checkpoint that the manifest lists is never overwritten; entries of this
    epoch or later ones, left over when training went back to an older checkpoint, are dropped.
    """
    place = inner_folder(folder, "checkpoints")
    manifest, faults = sound_manifest(folder)
    before = entries_of(manifest)
    epoch, files = saved.epoch, saved.files
    entry: dict[str, Any] = {"epoch": epoch, "files": {name: sha256(data) for name, data in files.items()}}
    if saved.metrics:
        entry["metrics"] = saved.metrics
    entries = [*(e for e in before if e["epoch"] < epoch), entry]
    best_epoch = epoch if saved.best else manifest.get("best_epoch")
    if best_epoch not in [e["epoch"] for e in entries]:
        best_epoch = None
    entries = [e for k, e in enumerate(entries) if k >= len(entries) - KEPT or e["epoch"] == best_epoch]
    earlier = manifest.get("noticed")
    known = [*(earlier if isinstance(earlier, list) else []), *noticed]
    body = {"versions": versions, "best_epoch": best_epoch, "checkpoints": entries}
    if known:
        body["noticed"] = list(dict.fromkeys(known))
    listed = {CURRENT: manifest_text(body), **(beside or {})}
    with Replacement(place, files) as checkpoint, Replacement(folder, listed) as commitment:
        sync()
        checkpoint.sync()
        commitment.sync()
        checkpoint.publish()
        if manifest and not faults:  # a damaged manifest must not replace a valid previous one
            keep_previous(folder)
        commitment.publish()
    replaced = _names_of(before) - _names_of(entries)
    _remove(place, [name for name in replaced if OWN.fullmatch(name)])  # a manifest may come from anywhere
    return dict(entry["files"])


def _names_of(entries: Sequence[Mapping[str, Any]]) -> set[str]:
    """The names of all files of some checkpoints."""
    return {name for entry in entries for name in entry["files"]}


def remove_strays(folder: Path) -> None:
    """Remove from the checkpoints what the manifest does not list, left by a killed writer; folders stay."""
    place, named = folder / "checkpoints", _names_of(entries_of(sound_manifest(folder)[0]))
    with os.scandir(place) as found:
        _remove(place, [entry.name for entry in found if entry.name not in named])


def _remove(place: Path, names: Iterable[str]) -> None:
    for name in names:
        with suppress(FileNotFoundError, IsADirectoryError):
            os.unlink(os.path.join(place, name))
