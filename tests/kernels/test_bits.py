"""Single bits of words, compiled and in Python."""

from __future__ import annotations

import numpy as np
from numba import njit

from mmrl.kernels import bits


@njit
def counted(words: np.ndarray) -> np.ndarray:
    out = np.empty((words.shape[0], 2), np.int64)
    for k in range(words.shape[0]):
        out[k, 0], out[k, 1] = bits.lowest_bit(words[k]), bits.zeros_above(words[k])
    return out


def test_places_of_the_lowest_and_the_highest_bit() -> None:
    rng = np.random.default_rng(5)
    low, high = rng.integers(0, 64, 300), rng.integers(0, 64, 300)
    between = rng.integers(0, 2**63, 300, dtype=np.uint64)
    low, high = np.minimum(low, high), np.maximum(low, high)
    one = np.uint64(1)
    inside = (one << high.astype(np.uint64)) - (one << low.astype(np.uint64))
    words = (between & inside) | (one << low.astype(np.uint64)) | (one << high.astype(np.uint64))
    np.testing.assert_array_equal(counted(words), np.stack([low, 63 - high], axis=1))
    plain = [(bits._lowest_in_python(w), bits._above_in_python(w)) for w in words]
    np.testing.assert_array_equal(plain, counted(words))


def test_bits_of_numbers_and_back() -> None:
    assert bits._bits_in_python(1.0) == 1023 << 52
    assert bits._number_in_python(np.int64(1023 << 52)) == 1.0
