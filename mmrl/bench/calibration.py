"""What other figures are compared with, because it never changes: a loop of arithmetic, a matrix product, a copy.

Machines, and the same machine from day to day, differ by a factor of two: a figure divided by one of these, measured in
the same minute, says more than the figure.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmrl.bench.clock import seconds_of

ITERATIONS = 10_000_000
SIZE = 256
"""Rows and columns of the matrices: together they fit into the second cache."""
COPIED = 64 * 2**20
"""Bytes of a copy, more than a cache holds."""


def loop() -> Callable[[], float]:
    """Iterations a second of a compiled loop: a xorshift generator and a floating-point recurrence, one thread."""
    from numba import njit

    @njit(nogil=True)
    def work(count: int) -> float:
        state, total = np.uint64(88172645463325252), 0.0
        for _ in range(count):
            state ^= state << np.uint64(13)
            state ^= state >> np.uint64(7)
            state ^= state << np.uint64(17)
            total = 0.999 * total + np.float64(state >> np.uint64(11)) * 1.1102230246251565e-16
        return total

    work(10)
    return lambda: ITERATIONS / seconds_of(lambda: work(ITERATIONS))


def product() -> Callable[[], float]:
    """Floating-point operations a second of a float32 matrix product, one thread."""
    a = np.random.default_rng(0).random((SIZE, SIZE)).astype(np.float32)
    out = np.empty_like(a)
    return lambda: 2 * SIZE**3 / seconds_of(lambda: np.matmul(a, a, out=out))


def copy() -> Callable[[], float]:
    """Bytes a second that are read and written again, one thread."""
    source = np.ones(COPIED, np.uint8)
    target = np.empty_like(source)
    return lambda: 2 * COPIED / seconds_of(lambda: np.copyto(target, source))
