"""Reads a checkpoint into arrays of numpy."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.numpy import load as arrays_of

from mmrl.runs.manifest import BrokenRun, entries_of, files_of, sound_manifest
from mmrl.runs.slots import held
from mmrl.settings.errors import ConfigError


def join(tree: Any, tensors: dict[str, Any]) -> Any:
    """Undo `mmrl.runs.checkpoint.split`; raises KeyError on a reference to a tensor that is not there."""
    if isinstance(tree, dict):
        if "__tensor__" in tree:
            return tensors[tree["__tensor__"]]
        if "__float__" in tree:
            return float(tree["__float__"])
        return {key: join(value, tensors) for key, value in tree["__dict__"]}
    return [join(value, tensors) for value in tree] if isinstance(tree, list) else tree


DAMAGES = (OSError, ValueError, KeyError, TypeError, RecursionError, SafetensorError)
"""What reading a damaged checkpoint raises."""


def read(folder: Path, epoch: int | None = None) -> tuple[int, dict[str, Any], list[str]]:
    """The newest sound epoch (or that of `epoch`), in a slot or a checkpoint: its number, state, and what was wrong
    with newer checkpoints.

    Epoch 0 and an empty state when the run has none. Raises BrokenRun when none of those named is sound.
    """
    manifest, faults = sound_manifest(folder)
    for saved in reversed(held(folder, manifest)[0]):
        if epoch in (None, saved.epoch):
            with suppress(*DAMAGES):
                return saved.epoch, _state(saved.files), faults
    entries = [e for e in entries_of(manifest) if epoch is None or e["epoch"] == epoch]
    for entry in reversed(entries):
        try:
            return int(entry["epoch"]), _state(files_of(folder, entry)), faults
        except DAMAGES as error:
            faults.append(f"checkpoint {entry.get('epoch')} is damaged ({error})")
    if faults:
        raise BrokenRun(f"no sound checkpoint in {folder.name}: " + "; ".join(faults))
    return 0, {}, faults


def _state(files: dict[str, bytes]) -> dict[str, Any]:
    """The state in the files of a checkpoint, by name."""
    contents = {name.rpartition(".")[2]: data for name, data in files.items()}
    state = join(json.loads(contents["json"]), arrays_of(contents["safetensors"]))
    if not isinstance(state, dict):
        raise ValueError("the state is not a table")
    return state


BEST, LAST = "best", "last"


def of_epoch(folder: Path, which: str) -> tuple[int, dict[str, Any]]:
    """Epoch and state of a run's best policy by its grade (the last one where none was graded), its last, or epoch N.

    ConfigError when it has no checkpoint yet, or none of that epoch.
    """
    manifest = sound_manifest(folder)[0]
    later = held(folder, manifest)[0]
    kept = [*(int(entry["epoch"]) for entry in entries_of(manifest)), *(saved.epoch for saved in later)]
    best = next((saved.epoch for saved in reversed(later) if saved.best), manifest.get("best_epoch"))
    if which not in (BEST, LAST) and not (which.isascii() and which.isdigit() and int(which) in kept):
        there = ", ".join(map(str, kept)) or "none"
        raise ConfigError(f"--epoch {which}: run {folder.name} keeps the policies of epochs {there}; or best, or last")
    epoch, state, _ = read(folder, None if which in (BEST, LAST) else int(which))
    if not state:
        raise ConfigError(f"run {folder.name} has no checkpoint yet: let it finish an epoch")
    # a table is a grade; an earlier version called the epoch of the largest mean value the best
    if which == BEST and best in kept and best != epoch and isinstance(state["best"], dict):
        epoch, state, _ = read(folder, best)
    return epoch, state
