"""Random features phi(s) = (tanh(D s + o), s, s^2, 1) of observations: their products and weighted sums, on a CPU.

`tensor_features` does the same on other devices.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mmrl.kernels.jit import inlined_fast, kernel
from mmrl.kernels.products import BLOCK, pair
from mmrl.learn.blocks import LONGEST, affine, block_of, share, spans_of

PANEL = 16
"""Rows of a symmetric matrix of products that are formed together, up to their last column on the diagonal."""
SPAN = LONGEST * BLOCK
_NOTHING = np.zeros(0, np.float32)

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


class Features:
    """D [inputs, units] and o [units], float32. What is summed over rows does not depend on the number of threads."""

    def __init__(self, direction: Float32, offset: Float32, threads: int = 1) -> None:
        self.threads = threads
        self.inputs, self.units = direction.shape
        self.count = count_of(self.inputs, self.units)
        self._flat = np.concatenate([direction.T.ravel(), offset])

    def gram(self, observation: Float32) -> Float64:
        """The sum over rows of phi phi^T [count, count]."""
        panels = [(first, min(first + PANEL, self.count)) for first in range(0, self.count, PANEL)]
        found = self._products(observation, _NOTHING, sum((last - first) * last for first, last in panels))
        gram, at = np.empty((self.count, self.count)), 0
        for first, last in panels:
            gram[first:last, :last] = found[at : at + (last - first) * last].reshape(last - first, last)
            gram[:first, first:last] = gram[first:last, :first].T
            at += (last - first) * last
        return gram

    def moments(self, observation: Float32, target: npt.NDArray[Any]) -> Float64:
        """The sum over rows of phi times a target [rows], [count]."""
        return self._products(observation, target.astype(np.float32), self.count)

    def sums(self, observation: Float32, weight: Float64) -> Float64:
        """w . phi [rows] for weights w [count]; the constant, which may be large, in double precision."""
        sums, rows, used = np.empty(len(observation)), np.ascontiguousarray(observation), weight[:-1].astype(np.float32)
        share(
            lambda first, step: _sums(rows, self._flat, used, first, step, sums),
            spans_of(len(rows), SPAN),
            self.threads,
        )
        return sums + float(weight[-1])

    def _products(self, observation: Float32, target: Float32, size: int) -> Float64:
        rows, spans = np.ascontiguousarray(observation), spans_of(len(observation), SPAN)
        each = np.zeros((spans, size), np.float32)
        share(lambda first, step: _products(rows, self._flat, target, first, step, each), spans, self.threads)
        return each.sum(0, dtype=np.float64)


def count_of(inputs: int, units: int) -> int:
    """Features of observations [inputs]."""
    return units + 2 * inputs + 1


@inlined_fast
def _hidden_of(rows: Any, flat: Any, seen: Any, hidden: Any) -> None:
    """A block of rows into seen [inputs, BLOCK], and tanh(D s + o) of each into the first rows of hidden [.., BLOCK];
    `flat` is D [units, inputs], then o."""
    inputs = rows.shape[1]
    for i in range(inputs):
        for r in range(rows.shape[0]):
            seen[i, r] = rows[r, i]
    affine(flat, 0, inputs, flat.size // (inputs + 1), seen, hidden, True)


@kernel
def _sums(rows: Any, flat: Any, weight: Any, first: int, step: int, sums: Any) -> None:
    """w . phi but for the constant into sums [rows], for every `step`-th span of rows from span `first` on; `flat` is D
    [units, inputs], then o."""
    inputs = rows.shape[1]
    units = flat.size // (inputs + 1)
    seen, hidden = block_of(inputs), block_of(units)
    total = np.zeros(BLOCK, np.float32)
    for span in range(first, -(-rows.shape[0] // SPAN), step):
        last = min((span + 1) * SPAN, rows.shape[0])
        for start in range(span * SPAN, last, BLOCK):
            count = min(BLOCK, last - start)
            _hidden_of(rows[start : start + count], flat, seen, hidden)
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


@kernel
def _products(rows: Any, flat: Any, target: Any, first: int, step: int, sums: Any) -> None:
    """Of every `step`-th span of rows from span `first` on: phi times target into sums [spans, ...]; with no target phi
    phi^T, panel after panel."""
    inputs = rows.shape[1]
    units = flat.size // (inputs + 1)
    size = units + 2 * inputs + 1
    seen, phi = block_of(inputs), block_of(size + 1)
    for span in range(first, -(-rows.shape[0] // SPAN), step):
        last = min((span + 1) * SPAN, rows.shape[0])
        for start in range(span * SPAN, last, BLOCK):
            count = min(BLOCK, last - start)
            _hidden_of(rows[start : start + count], flat, seen, phi)
            for i in range(inputs):
                for r in range(count):
                    phi[units + i, r] = seen[i, r]
                    phi[units + inputs + i, r] = seen[i, r] * seen[i, r]
            for r in range(count):
                phi[size - 1, r] = np.float32(1.0)
            if count < BLOCK:
                phi[:, count:] = np.float32(0.0)
            if target.size > 0:
                for r in range(count):
                    phi[size, r] = target[start + r]
                pair(phi[size:], 1, phi, size, sums[span], 0)
                continue
            at = 0
            for row in range(0, size, PANEL):
                tall = min(PANEL, size - row)
                pair(phi[row:], tall, phi, row + tall, sums[span], at)
                at += tall * (row + tall)
