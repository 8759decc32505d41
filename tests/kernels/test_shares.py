"""Work that threads share: every number is taken once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numba import njit

from mmrl.kernels.shares import add_at_once

MANY = 200_000


@njit(nogil=True)
def take(counter, times):  # type: ignore[no-untyped-def]
    while True:
        number = add_at_once(counter, 1)
        if number >= MANY:
            break
        times[number] += 1


def test_every_number_is_taken_once() -> None:
    counter, times = np.zeros(1, np.int64), np.zeros(MANY, np.int64)
    take(np.full(1, MANY), times)  # compiled
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: take(counter, times), range(4)))
    assert (times == 1).all() and counter[0] == MANY + 4
