"""How an epoch becomes durable: checkpoint files first, then the manifest that names them, then the old ones go."""

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
    """Write the checkpoint of an epoch, commit it in the manifest, then remove those no longer kept.

    `metrics` is the mark of metrics.jsonl up to this epoch, `noticed` what was found damaged on the way.
    Raises OSError; a sound checkpoint that the manifest names is never overwritten, and entries of this epoch
    or later ones, left over where training went back to an older checkpoint, are forgotten.
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
    told = manifest.get("noticed")
    known = [*(told if isinstance(told, list) else []), *noticed]
    body = {"versions": versions, "best_epoch": best_epoch, "checkpoints": entries}
    write_manifest(folder, {**body, "noticed": list(dict.fromkeys(known))} if known else body)
    named = {name for entry in entries for name in entry["files"]}
    for path in place.iterdir():
        if path.name not in named:
            path.unlink(missing_ok=True)
