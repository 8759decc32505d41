"""Random features phi(s) = (tanh(D s + o), s, s^2, 1) of observations, and their weighted sums w . phi(s).

On a CPU in compiled code, elsewhere by torch; on CUDA the sums stay there.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmrl.kernels.jit import kernel
from mmrl.kernels.products import BLOCK
from mmrl.learn.blocks import SPAN, affine, share, spans_of
from mmrl.rollout.arrays import Column

_CHUNK = 1 << 18
"""Rows that torch takes at once: their features fit into the memory of any device."""


class Features:
    """D [inputs, units] and o [units], float32."""

    def __init__(self, direction: Tensor, offset: Tensor, device: torch.device, threads: int = 1) -> None:
        self.direction, self.offset, self.device, self.threads = direction, offset, device, threads
        self.on_cpu = device.type == "cpu"
        self.inputs, self.units = direction.shape
        self.count = self.units + 2 * self.inputs + 1
        self._flat = np.concatenate([direction.T.numpy().ravel(), offset.numpy()])

    def of(self, observation: Tensor) -> Tensor:
        """phi [rows, count] of observations [rows, inputs], float32."""
        if self.on_cpu:
            values = np.empty((len(observation), self.count), np.float32)
            self._compiled(observation, np.zeros(0, np.float32), values, np.zeros(0))
            return torch.from_numpy(values)
        return torch.cat([self._chunk(rows) for rows in observation.split(_CHUNK)])

    def sums(self, observation: Tensor, weight: Tensor) -> Column:
        """w . phi [rows] for float64 weights w [count]; the constant, which may be large, in double precision.

        A tensor on CUDA, else an array of numpy.
        """
        sums: Column
        if self.on_cpu:
            sums = np.empty(len(observation))
            self._compiled(observation, weight[:-1].float().numpy(), np.zeros((0, 0), np.float32), sums)
        else:
            used = weight[:-1].float().to(self.device)
            found = torch.cat([self._chunk(rows)[:, :-1] @ used for rows in observation.split(_CHUNK)])
            sums = found.double() if found.is_cuda else found.cpu().numpy().astype(np.float64)
        return sums + float(weight[-1])

    def _compiled(self, observation: Tensor, weight: Any, values: Any, sums: Any) -> None:
        rows, spans = np.ascontiguousarray(observation.numpy(), np.float32), spans_of(len(observation))
        share(lambda first, step: _features(rows, self._flat, weight, first, step, values, sums), spans, self.threads)

    def _chunk(self, observation: Tensor) -> Tensor:
        rows = observation.to(self.device)
        hidden = torch.addmm(self.offset.to(self.device), rows, self.direction.to(self.device)).tanh_()
        return torch.cat([hidden, rows, rows.square(), torch.ones_like(rows[:, :1])], 1)


@kernel
def _features(rows: Any, flat: Any, weight: Any, first: int, step: int, values: Any, sums: Any) -> None:
    """Every `step`-th span of rows from span `first` on: phi into values [rows, count] if it has rows, w . phi but for
    the constant into sums [rows] if it has; `flat` is D [units, inputs], then o."""
    inputs = rows.shape[1]
    units = flat.size // (inputs + 1)
    seen = np.zeros((inputs, BLOCK), np.float32)
    hidden = np.zeros((units, BLOCK), np.float32)
    total = np.zeros(BLOCK, np.float32)
    for span in range(first, -(-rows.shape[0] // SPAN), step):
        last = min((span + 1) * SPAN, rows.shape[0])
        for start in range(span * SPAN, last, BLOCK):
            count = min(BLOCK, last - start)
            for i in range(inputs):
                for r in range(count):
                    seen[i, r] = rows[start + r, i]
            affine(flat, 0, inputs, units, seen, hidden, True)
            if values.shape[0] > 0:
                for r in range(count):
                    into = values[start + r]
                    for j in range(units):
                        into[j] = hidden[j, r]
                    for i in range(inputs):
                        into[units + i] = seen[i, r]
                        into[units + inputs + i] = seen[i, r] * seen[i, r]
                    into[units + 2 * inputs] = np.float32(1.0)
            if sums.shape[0] > 0:
                total[:] = np.float32(0.0)
                for j in range(units):
                    w, one = weight[j], hidden[j]
                    for r in range(BLOCK):
                        total[r] += w * one[r]
                for i in range(inputs):
                    v, w, one = weight[units + i], weight[units + inputs + i], seen[i]
                    for r in range(BLOCK):
                        total[r] += (v + w * one[r]) * one[r]
                for r in range(count):
                    sums[start + r] = total[r]
