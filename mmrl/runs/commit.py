"""How an epoch becomes durable: write checkpoint files, then the manifest that lists them, then delete old ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import durable_write, inner_folder
from mmrl.runs.checksum import sha256
from mmrl.runs.manifest import entries_of, sound_manifest, write_manifest

KEPT = 2  # newest checkpoints kept beside the best


def commit(
    folder: Path,
    epoch: int,
    files: dict[str, bytes],
    best: bool,
    versions: dict[str, Any],
    metrics: dict[str, Any] | None = None,
    noticed: Sequence[str] = (),
) -> None:
    """Write the checkpoint of an epoch, commit it in the manifest, then remove the checkpoints no longer kept.

    `metrics` is the size and SHA-256 of metrics.jsonl up to this epoch, `noticed` lists damage found when resuming.
    Raises OSError. A valid checkpoint that the manifest lists is never overwritten; entries of this epoch or later
    ones, left over when training went back to an older checkpoint, are dropped.
    """
    place = inner_folder(folder, "checkpoints")
    manifest, _ = sound_manifest(folder)
    entries = [e for e in entries_of(manifest) if e["epoch"] < epoch]
    for name, data in files.items():
        durable_write(place / name, data)
    entry: dict[str, Any] = {"epoch": epoch, "files": {name: sha256(data) for name, data in files.items()}}
    if metrics:
        entry["metrics"] = metrics
    entries.append(entry)
    best_epoch = epoch if best else manifest.get("best_epoch")
    if best_epoch not in [e["epoch"] for e in entries]:
        best_epoch = None
    entries = [e for k, e in enumerate(entries) if k >= len(entries) - KEPT or e["epoch"] == best_epoch]
    earlier = manifest.get("noticed")
    known = [*(earlier if isinstance(earlier, list) else []), *noticed]
    body = {"versions": versions, "best_epoch": best_epoch, "checkpoints": entries}
    write_manifest(folder, {**body, "noticed": list(dict.fromkeys(known))} if known else body)
    named = {name for entry in entries for name in entry["files"]}
    for path in place.iterdir():
        if path.name not in named and (path.is_symlink() or not path.is_dir()):
            path.unlink(missing_ok=True)
