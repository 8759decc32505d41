"""Checkpoints: arrays as safetensors, everything else as JSON, both named with their SHA-256 in the manifest."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy

from mmrl.runs.commit import commit
from mmrl.runs.read_checkpoint import join as join
from mmrl.runs.read_checkpoint import read

_PLAIN = (str, int, bool, type(None))


def split(state: Any, path: str, tensors: dict[str, np.ndarray]) -> Any:
    """The state with every array, or tensor of torch, moved to `tensors` and replaced by a reference to its path; what
    is left is a copy."""
    if type(state) in _PLAIN:
        return state
    if isinstance(state, float):
        return state if math.isfinite(state) else {"__float__": repr(float(state))}
    if isinstance(state, dict):
        return {"__dict__": [[key, split(value, f"{path}/{key}", tensors)] for key, value in state.items()]}
    if isinstance(state, list | tuple):
        return [split(value, f"{path}/{k}", tensors) for k, value in enumerate(state)]
    if hasattr(state, "detach"):
        state = state.detach().cpu().numpy()
    if isinstance(state, np.ndarray):
        while path in tensors:  # {"a/b": ...} beside {"a": {"b": ...}}, or 0 beside "0"
            path += "+"
        tensors[path] = np.asarray(state, order="C")
        return {"__tensor__": path}
    return state


@dataclass(frozen=True)
class Snapshot:
    """A copy of a state, so that training may go on while it is written."""

    tree: Any
    tensors: bytes
    """Of the one file; more copies of large networks would be the peak of a training's memory."""


def snapshot(state: dict[str, Any]) -> Snapshot:
    """The state as it is now."""
    tensors: dict[str, np.ndarray] = {}
    tree = split(state, "", tensors)
    return Snapshot(tree, safetensors.numpy.save(tensors))


def encode(epoch: int, state: Snapshot) -> dict[str, bytes]:
    """The files of a checkpoint by name."""
    return {
        f"{epoch:06d}.safetensors": state.tensors,
        f"{epoch:06d}.json": json.dumps(state.tree, allow_nan=False).encode(),
    }


def save(folder: Path, epoch: int, state: dict[str, Any], best: bool, versions: dict[str, Any]) -> None:
    """Encode and commit the checkpoint of an epoch."""
    commit(folder, epoch, encode(epoch, snapshot(state)), best, versions)


def load(folder: Path, epoch: int | None = None) -> tuple[int, dict[str, Any], list[str]]:
    """The newest sound checkpoint (or that of `epoch`): its epoch, state, and what was wrong with newer ones.

    Epoch 0 and an empty state when the run has none. Raises BrokenRun when none of those named is sound.
    """
    return read(folder, epoch)
