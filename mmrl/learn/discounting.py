"""Discounted sums backwards along each trajectory of a batch, on the host or on CUDA."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from mmrl.kernels.jit import inlined, kernel
from mmrl.learn.blocks import share
from mmrl.rollout.arrays import Column, beside, host

THREADS = 128
"""Of a block on CUDA."""


@inlined
def _backwards(error: Any, rate: Any, first: int, last: int, out: Any) -> None:
    """S_t = error_t + rate_t S_(t+1) for the rows first..last of one trajectory."""
    total = 0.0
    for k in range(last - 1, first - 1, -1):
        total = error[k] + rate[k] * total
        out[k] = total


@kernel
def _some(error: Any, offsets: Any, rate: Any, first: int, step: int, out: Any) -> None:
    for n in range(first, offsets.size - 1, step):
        _backwards(error, rate, offsets[n], offsets[n + 1], out)


def discounted_sums(error: Column, offsets: Column, rate: Column, threads: int = 1) -> Column:
    """S_t = error_t + rate_t S_(t+1) with S = 0 after the end of the trajectory, for each row [nnz], float64."""
    if getattr(error, "is_cuda", False) and find_spec("numba_cuda") is not None:
        return _on_cuda(error, offsets, rate)
    sums, given = np.empty(len(error)), (host(error), host(offsets), host(rate))
    share(lambda first, step: _some(*given, first, step, sums), len(offsets) - 1, threads)
    return beside(sums, error)


def _on_cuda(error: Column, offsets: Column, rate: Column) -> Column:
    """One trajectory a thread."""
    from numba import cuda

    sums = error.new_empty(error.shape)
    blocks = -(-(len(offsets) - 1) // THREADS)
    _kernel()[blocks, THREADS](*(cuda.as_cuda_array(column) for column in (error, offsets, rate, sums)))
    return sums


@cache
def _kernel() -> Any:
    from numba import cuda

    @cuda.jit
    def sums(error, offsets, rate, out):  # type: ignore[no-untyped-def]
        n = cuda.grid(1)  # type: ignore[attr-defined]
        if n < offsets.size - 1:
            _backwards(error, rate, offsets[n], offsets[n + 1], out)

    return sums
