"""Random features of observations by torch, on devices that are no CPU: what `features` does."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from mmrl.learn.features import count_of
from mmrl.rollout.arrays import Column

CHUNK = 1 << 18
"""Rows that are taken at once: their features fit into the memory of any device."""
BLOCK = 16_384
"""Rows whose products are summed in single precision."""

Float64 = npt.NDArray[np.float64]


class TensorFeatures:
    """D [inputs, units] and o [units], float32; observations and targets are tensors on the device."""

    def __init__(self, direction: npt.NDArray[np.float32], offset: npt.NDArray[np.float32], device: str) -> None:
        self.direction, self.offset = (torch.from_numpy(array).to(device) for array in (direction, offset))
        self.inputs, self.units = direction.shape
        self.count = count_of(self.inputs, self.units)

    def gram(self, observation: Tensor) -> Float64:
        """The sum over rows of phi phi^T [count, count], on the host."""
        return _summed([phi.T @ phi for phi in map(self._of, observation.split(BLOCK))])

    def moments(self, observation: Tensor, target: Column) -> Float64:
        """The sum over rows of phi times a target [rows], [count], on the host."""
        wanted = torch.as_tensor(target).float().to(observation.device).split(BLOCK)
        parts = zip(observation.split(BLOCK), wanted, strict=True)
        return _summed([self._of(rows).T @ numbers for rows, numbers in parts])

    def sums(self, observation: Tensor, weight: Float64) -> Column:
        """w . phi [rows] for weights w [count]; the constant, which may be large, in double precision.

        A tensor on CUDA, else an array of numpy.
        """
        used = torch.from_numpy(weight[:-1].astype(np.float32)).to(observation.device)
        found = torch.cat([self._of(rows)[:, :-1] @ used for rows in observation.split(CHUNK)])
        sums: Any = found.double() if found.is_cuda else found.cpu().numpy().astype(np.float64)
        return sums + float(weight[-1])

    def _of(self, rows: Tensor) -> Tensor:
        """phi [rows, count]."""
        hidden = torch.addmm(self.offset, rows, self.direction).tanh_()
        return torch.cat([hidden, rows, rows.square(), torch.ones_like(rows[:, :1])], 1)


def _summed(parts: list[Tensor]) -> Float64:
    """The sum of what each block gives, in double precision on the host, in their order."""
    found: Float64 = torch.stack(parts).cpu().numpy().sum(0, dtype=np.float64)
    return found
