"""Checkpoints: tensors as safetensors, everything else as JSON, both named with their SHA-256 in the manifest."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError

from mmrl.runs.atomic import durable_write
from mmrl.runs.manifest import BrokenRun, sha256, sound_manifest, write_manifest

KEPT = 2  # newest checkpoints kept beside the best


def split(state: Any, path: str, tensors: dict[str, torch.Tensor]) -> Any:
    """The state with every tensor moved to `tensors` and replaced by a reference to its path."""
    if isinstance(state, torch.Tensor):
        while path in tensors:  # {"a/b": ...} beside {"a": {"b": ...}}, or 0 beside "0"
            path += "+"
        tensors[path] = state.detach().cpu().contiguous().clone()
        return {"__tensor__": path}
    if isinstance(state, dict):
        items = [[key, split(value, f"{path}/{key}", tensors)] for key, value in state.items()]
        return {"__dict__": items}
    if isinstance(state, list | tuple):
        return [split(value, f"{path}/{k}", tensors) for k, value in enumerate(state)]
    if isinstance(state, float) and not math.isfinite(state):
        return {"__float__": repr(state)}
    return state


def join(tree: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """Undo split(); raises KeyError on a reference to a tensor that is not there."""
    if isinstance(tree, dict):
        if "__tensor__" in tree:
            return tensors[tree["__tensor__"]]
        if "__float__" in tree:
            return float(tree["__float__"])
        return {key: join(value, tensors) for key, value in tree["__dict__"]}
    return [join(value, tensors) for value in tree] if isinstance(tree, list) else tree


def encode(epoch: int, state: dict[str, Any]) -> dict[str, bytes]:
    """The files of a checkpoint by name; a copy, so that training may go on while they are written."""
    tensors: dict[str, torch.Tensor] = {}
    tree = split(state, "", tensors)
    return {
        f"{epoch:06d}.safetensors": safetensors.torch.save(tensors),
        f"{epoch:06d}.json": json.dumps(tree, allow_nan=False).encode(),
    }


def save(folder: Path, epoch: int, state: dict[str, Any], best: bool, versions: dict[str, Any]) -> None:
    """Encode and commit the checkpoint of an epoch."""
    commit(folder, epoch, encode(epoch, state), best, versions)


def commit(folder: Path, epoch: int, files: dict[str, bytes], best: bool, versions: dict[str, Any]) -> None:
    """Write the checkpoint of an epoch, commit it in the manifest, then remove those no longer kept.

    Raises OSError; a sound checkpoint that the manifest names is never overwritten, and entries of this epoch
    or later ones, left over where training went back to an older checkpoint, are forgotten.
    """
    place = folder / "checkpoints"
    place.mkdir(exist_ok=True)
    manifest, _ = sound_manifest(folder)
    entries = [e for e in _entries(manifest) if e["epoch"] < epoch]
    for name, data in files.items():
        durable_write(place / name, data)
    entries.append({"epoch": epoch, "files": {name: sha256(data) for name, data in files.items()}})
    best_epoch = epoch if best else manifest.get("best_epoch")
    if best_epoch not in [e["epoch"] for e in entries]:
        best_epoch = None
    entries = [e for k, e in enumerate(entries) if k >= len(entries) - KEPT or e["epoch"] == best_epoch]
    write_manifest(folder, {"versions": versions, "best_epoch": best_epoch, "checkpoints": entries})
    named = {name for entry in entries for name in entry["files"]}
    for path in place.iterdir():
        if path.name not in named:
            path.unlink(missing_ok=True)


def load(folder: Path, epoch: int | None = None) -> tuple[int, dict[str, Any], list[str]]:
    """The newest sound checkpoint (or that of `epoch`): its epoch, state, and what was wrong with newer ones.

    Epoch 0 and an empty state when the run has none. Raises BrokenRun when none of those named is sound.
    """
    manifest, faults = sound_manifest(folder)
    entries = [e for e in _entries(manifest) if epoch is None or e["epoch"] == epoch]
    for entry in reversed(entries):
        try:
            return int(entry["epoch"]), _read(folder / "checkpoints", entry), faults
        except (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError) as error:
            faults.append(f"checkpoint {entry.get('epoch')} is damaged ({error})")
    if faults:
        raise BrokenRun(f"no sound checkpoint in {folder.name}: " + "; ".join(faults))
    return 0, {}, faults


def _entries(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    entries = manifest.get("checkpoints", [])
    if not isinstance(entries, list):
        return []
    return [
        e
        for e in entries
        if isinstance(e, dict) and isinstance(e.get("epoch"), int) and isinstance(e.get("files"), dict)
    ]


def _read(place: Path, entry: dict[str, Any]) -> dict[str, Any]:
    stem, contents = f"{entry['epoch']:06d}", {}
    if set(entry["files"]) != {f"{stem}.safetensors", f"{stem}.json"}:
        raise ValueError(f"its files are named {sorted(entry['files'])}")
    for name, digest in entry["files"].items():
        if (place / name).is_symlink():
            raise ValueError(f"{name} is a link")
        contents[name.rpartition(".")[2]] = data = (place / name).read_bytes()
        if sha256(data) != digest:
            raise ValueError(f"{name} does not match its SHA-256")
    tensors = safetensors.torch.load(contents["safetensors"])
    state = join(json.loads(contents["json"]), tensors)
    if not isinstance(state, dict):
        raise ValueError("the state is not a table")
    return state
