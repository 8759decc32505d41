"""Checkpoints: arrays as safetensors, everything else as JSON, both named with their SHA-256 in the manifest."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mmrl.runs.commit import Saved, commit
from mmrl.runs.encoding import encoded
from mmrl.runs.read_checkpoint import join as join
from mmrl.runs.read_checkpoint import read

_PLAIN = frozenset((str, int, bool, type(None)))
_KINDS = {
    "|b1": "BOOL", "|u1": "U8", "|i1": "I8", "<i2": "I16", "<u2": "U16", "<f2": "F16",
    "<i4": "I32", "<u4": "U32", "<f4": "F32", "<f8": "F64", "<i8": "I64", "<u8": "U64",
}  # fmt: skip
"""What safetensors calls the types of numpy; the last ones come first in a file."""
_RANK = {kind: -rank for rank, kind in enumerate(_KINDS)}


class Constant:
    """A part of a state, without arrays, that does not change while it is held: it becomes JSON once."""

    def __init__(self, value: Any) -> None:
        self.value = value

    @cached_property
    def text(self) -> bytes:
        """What a checkpoint has of it."""
        return encoded(split(self.value, "", {}))


def split(state: Any, path: str, tensors: dict[str, np.ndarray]) -> Any:
    """The state with every array, or tensor of torch, moved to `tensors` and replaced by a reference to its path; what
    is left is a copy."""
    if type(state) in _PLAIN:
        return state
    if isinstance(state, float):
        return state if math.isfinite(state) else {"__float__": repr(float(state))}
    if isinstance(state, dict):
        return {
            "__dict__": [
                [key, value if type(value) in _PLAIN else split(value, f"{path}/{key}", tensors)]
                for key, value in state.items()
            ]
        }
    if isinstance(state, list | tuple):
        kinds = set(map(type, state))
        if kinds <= _PLAIN or (kinds == {float} and math.isfinite(sum(state))):
            return list(state)
        return [split(value, f"{path}/{k}", tensors) for k, value in enumerate(state)]
    if not isinstance(state, np.ndarray) and hasattr(state, "detach"):
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

    parts: dict[str, Any]
    tensors: bytes
    """Of the one file; more copies of large networks would be the peak of a training's memory."""


def snapshot(state: dict[str, Any]) -> Snapshot:
    """The state as it is now; its entries may be `Constant`."""
    tensors: dict[str, np.ndarray] = {}
    parts = {
        name: part if isinstance(part, Constant) else split(part, f"/{name}", tensors) for name, part in state.items()
    }
    return Snapshot(parts, packed(tensors))


def packed(tensors: Mapping[str, np.ndarray]) -> bytes:
    """Contiguous arrays as safetensors, the bytes of its own save(), which copies them once more."""
    header, order = _header(tuple((name, array.dtype.str, array.shape) for name, array in tensors.items()))
    return b"".join([header, *(tensors[name].data for name in order)])


@lru_cache(maxsize=4)
def _header(described: tuple[tuple[str, str, tuple[int, ...]], ...]) -> tuple[bytes, list[str]]:
    """The beginning of a file of tensors, by name, type and shape, and their order in it; the next epoch has the same
    ones."""
    table, at = {}, 0
    for name, kind, shape in sorted(described, key=lambda one: (_RANK[one[1]], one[0])):
        end = at + np.dtype(kind).itemsize * math.prod(shape)
        table[name] = {"dtype": _KINDS[kind], "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(table, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text, list(table)


def encode(epoch: int, state: Snapshot) -> dict[str, bytes]:
    """The files of a checkpoint by name."""
    texts = (
        b"[%b,%b]" % (encoded(name), part.text if isinstance(part, Constant) else encoded(part))
        for name, part in state.parts.items()
    )
    return {
        f"{epoch:06d}.safetensors": state.tensors,
        f"{epoch:06d}.json": b'{"__dict__":[%b]}' % b",".join(texts),
    }


def save(folder: Path, epoch: int, state: dict[str, Any], best: bool, versions: dict[str, Any]) -> None:
    """Encode and commit the checkpoint of an epoch."""
    commit(folder, Saved(epoch, encode(epoch, snapshot(state)), best=best), versions)


def load(folder: Path, epoch: int | None = None) -> tuple[int, dict[str, Any], list[str]]:
    """The newest sound checkpoint (or that of `epoch`): its epoch, state, and what was wrong with newer ones.

    Epoch 0 and an empty state when the run has none. Raises BrokenRun when none of those named is sound.
    """
    return read(folder, epoch)
