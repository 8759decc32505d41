"""Named arrays that lie one after another in one vector, on the host or on a device."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmrl.rollout.arrays import Column, host


@dataclass(frozen=True)
class Layout:
    """The shape of each array by its name, in their order."""

    shapes: dict[str, tuple[int, ...]]

    @property
    def sizes(self) -> list[int]:
        """Numbers of each array."""
        return [math.prod(shape) for shape in self.shapes.values()]

    def named(self, vector: Column) -> dict[str, Column]:
        """Each array by name, in the memory of the vector."""
        found, at = {}, 0
        for name, shape in self.shapes.items():
            first, at = at, at + math.prod(shape)
            found[name] = vector[first:at].reshape(shape)
        return found

    def vector(self, named: Mapping[str, Column]) -> npt.NDArray[np.float32]:
        """The vector of these arrays, on the host. ValueError where one is missing or has another shape."""
        parts = []
        for name, shape in self.shapes.items():
            if name not in named or tuple(named[name].shape) != shape:
                raise ValueError(f"{name} is not of shape {list(shape)}: it is that of other networks")
            parts.append(host(named[name]).astype(np.float32).ravel())
        return np.concatenate(parts)
