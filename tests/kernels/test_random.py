"""Random numbers of compiled code: those that bounds decide are the ones that inversion gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numba import njit

from mmrl.kernels.random import normal, normals, poisson, poisson_of, poisson_sums, seed_stream, uniform


@njit
def drawn(rate: float, cap: int, count: int) -> np.ndarray:
    """Numbers of a stream, one after the other [count]."""
    state, out = np.empty(4, np.uint64), np.empty(count, np.int64)
    seed_stream(state, 7, 1, 2)
    for k in range(count):
        out[k] = poisson(state, rate, cap)
    return out


@njit
def uniforms(count: int) -> np.ndarray:
    state, out = np.empty(4, np.uint64), np.empty(count)
    seed_stream(state, 7, 1, 2)
    for k in range(count):
        out[k] = uniform(state)
    return out


@pytest.mark.parametrize("cap", [1, 5, 8, 9, 60])
@pytest.mark.parametrize("rate", [1e-9, 1e-3, 0.02, 0.3, 0.999, 1.0, 1.5, 8.0, 40.0])
def test_poisson_numbers_are_those_of_inversion(rate: float, cap: int) -> None:
    """The least k whose distribution function lies above the uniform number, at most the cap."""
    count = 20_000
    below = np.cumsum([math.exp(-rate) * rate**k / math.factorial(k) for k in range(cap)])
    want = np.searchsorted(below, uniforms(count), side="right")
    got = drawn(rate, cap, count)
    assert (got == np.minimum(want, cap)).all()
    others = np.minimum(np.random.default_rng(0).poisson(rate, count), cap)
    assert got.mean() == pytest.approx(others.mean(), abs=0.06 * max(1.0, rate) ** 0.5)


@njit
def drawn_of(sums: np.ndarray, count: int) -> np.ndarray:
    state, out = np.empty(4, np.uint64), np.empty(count, np.int64)
    seed_stream(state, 7, 1, 2)
    for k in range(count):
        out[k] = poisson_of(state, sums)
    return out


@pytest.mark.parametrize("rate", [1e-9, 0.02, 1.0, 8.0, 20.0, 63.7, 500.0])
def test_poisson_numbers_of_one_rate_are_the_same(rate: float) -> None:
    np.testing.assert_array_equal(drawn_of(poisson_sums(rate), 20_000), drawn(rate, 10_000, 20_000))


@pytest.mark.parametrize("rate", [0.0, 500.1, 2e5])
def test_of_no_rate_and_of_large_ones_there_are_no_sums(rate: float) -> None:
    assert poisson_sums(rate).size == 0


@pytest.mark.parametrize("rate", [1e-9, 3.0, 500.0])
def test_sums_reach_the_exponential_and_no_number_lies_beyond_them(rate: float) -> None:
    table, cells = poisson_sums(rate), 256
    least, sums, (end, whole) = table[:cells], table[cells:-2], table[-2:]
    assert whole == math.exp(rate) and end == np.inf
    assert sums[-1] == pytest.approx(whole, rel=1e-13) and (np.diff(sums) > 0).all()
    for cell in (0, 1, 100, cells - 1):
        assert least[cell] == sum(partial <= cell / cells * whole for partial in sums)


@njit
def many(count: int, at_once: int) -> tuple[np.ndarray, np.ndarray]:
    """Normal numbers of a stream, so many a call, and the stream after them."""
    state, out = np.empty(4, np.uint64), np.empty(count)
    seed_stream(state, 7, 1, 2)
    for k in range(0, count, at_once):
        normals(state, out[k : k + at_once])
    return out, state


@njit
def one_by_one(count: int) -> tuple[np.ndarray, np.ndarray]:
    state, out = np.empty(4, np.uint64), np.empty(count)
    seed_stream(state, 7, 1, 2)
    for k in range(count):
        out[k] = normal(state)
    return out, state


def test_normal_numbers_are_the_same_whether_one_or_many_are_drawn() -> None:
    count = 60_000  # some hundred of the tail among them
    want, stream = one_by_one(count)
    for at_once in (1, 4, count):
        got, after = many(count, at_once)
        np.testing.assert_array_equal(got, want)
        np.testing.assert_array_equal(after, stream)
    assert abs(want.mean()) < 0.02 and abs(want.std() - 1.0) < 0.01 and np.abs(want).max() > 3.5
