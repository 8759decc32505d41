"""Memory that rollouts write into."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mmrl.kernels.account import FLOWS
from mmrl.kernels.play import WHOLE, Ends, Rows
from mmrl.kernels.prefetch import LINE

_STAGGER = 32  # rows, some cache lines in every column


class Buffers:
    """Arrays that rollouts write into again and again: fresh memory costs more than the steps themselves.

    Without `flows`, which learning does not read and which cost some percent of the time, their columns stay empty.
    """

    def __init__(self, flows: bool = True) -> None:
        self.flows = flows
        self._arrays: dict[str, np.ndarray] = {}
        self._rows: Rows | None = None
        self._states: dict[Any, list[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """The array of that name, made anew when shape or dtype have changed; its contents are arbitrary."""
        array = self._arrays.get(name)
        if array is None or array.shape != shape or array.dtype != dtype:
            array = self._arrays[name] = _aligned(shape, np.dtype(dtype))
        return array

    def states(self, state: Any, count: int) -> list[Any]:
        """Memory of so many states such as this one that nobody uses; who takes some brings it back."""
        parts = state if isinstance(state, tuple) else (state,)
        key = (count, *((np.shape(part), np.asarray(part).dtype) for part in parts))
        if key not in self._states:
            self._states = {key: []}  # those of another size are used no more
        return self._states[key]

    def rows(self, count: int, obs: int, axes: int) -> Rows:
        """Room for so many steps.

        Large arrays begin at the same place of a memory page, so that a row of all of them would fall into the same few
        lines of the cache: each begins some lines later than the one before.
        """
        last = self._rows
        if last and last.observation.shape == (count, obs) and last.action.shape[1] == axes:
            return last
        self._rows = last = None  # memory of another size is given back first
        wide = {"observation": (obs,), "action": (axes,)}
        kinds: dict[str, Any] = dict.fromkeys(Rows._fields, np.float64) | dict.fromkeys(WHOLE, np.int32)
        kinds |= dict.fromkeys(("observation", "action", "log_prob"), np.float32)
        columns = {}
        for k, name in enumerate(Rows._fields):
            skipped, room = k * _STAGGER, count if self.flows or name not in FLOWS else 0
            columns[name] = self.array(name, (room + skipped, *wide.get(name, ())), kinds[name])[skipped:]
        self._rows = Rows(**columns)
        return self._rows


def _aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An array that begins with a line of memory: a vector that is a line wide is then never in two."""
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + LINE, np.uint8)
    begins = -memory.ctypes.data % LINE
    return memory[begins : begins + size].view(dtype).reshape(shape)


def room_for_ends(count: int, obs: int, parts: int) -> Ends:
    """Room for what so many trajectories leave behind."""
    return Ends(
        length=np.empty(count, np.int64),
        time=np.empty(count, np.float64),
        cash=np.empty(count, np.float64),
        inventory=np.empty(count, np.int32),
        mid=np.empty(count, np.float64),
        value=np.empty(count, np.float64),
        terminated=np.empty(count, np.bool_),
        observation=np.empty((count, obs), np.float32),
        split=np.empty((count, parts), np.float64),
    )
