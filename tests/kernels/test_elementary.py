"""Exponential and logarithm of compiled code, beside numbers of more digits and beside their own Python."""

from __future__ import annotations

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from numba import njit

from mmrl.kernels import bits, elementary
from mmrl.kernels.elementary import exp, log

ULP = 2.0**-52


@njit(error_model="numpy")
def exps(x: np.ndarray) -> np.ndarray:
    return np.array([exp(v) for v in x])


@njit(error_model="numpy")
def logs(x: np.ndarray) -> np.ndarray:
    return np.array([log(v) for v in x])


def exact(name: str, x: np.ndarray) -> list[Decimal]:
    with localcontext(prec=40):
        return [getattr(Decimal(float(v)), name)() for v in x]


def errors(got: np.ndarray, want: list[Decimal]) -> np.ndarray:
    """Relative errors in units of the last place."""
    return np.array([abs(float((Decimal(float(a)) - b) / b)) / ULP if b else float(a) for a, b in zip(got, want)])  # noqa: B905


@pytest.mark.parametrize("edge", [1e-9, 1e-3, 0.1, 1.0, 30.0, 700.0])
def test_the_exponential_is_right_to_the_last_place(edge: float) -> None:
    x = np.random.default_rng(1).uniform(-edge, edge, 2_000)
    assert errors(exps(x), exact("exp", x)).max() < 1.0


@pytest.mark.parametrize(("low", "high"), [(-0.4, 0.4), (-1e-6, 1e-6), (0.0, 30.0), (-700.0, 700.0)])
def test_the_logarithm_is_right_to_the_last_places(low: float, high: float) -> None:
    x = np.exp(np.random.default_rng(2).uniform(low, high, 2_000))
    assert errors(logs(x), exact("ln", x)).max() < 3.0


def test_every_part_of_a_factor_of_two_is_right() -> None:
    """Numbers beside the edges of the tables, where a wrong entry would show."""
    x = np.nextafter(np.repeat(1.0 + (np.arange(256) + 0.5) / 256, 2), np.tile([0.0, 3.0], 256))
    np.testing.assert_allclose(logs(x), np.log(x), rtol=3 * ULP)
    np.testing.assert_allclose(exps(np.log(x)), x, rtol=4 * ULP)
    assert logs(np.array([1.0]))[0] == 0.0 and exps(np.array([0.0]))[0] == 1.0


def test_what_is_beyond() -> None:
    inf, nan = math.inf, math.nan
    lowest, highest = math.exp(-707.0), math.exp(709.0)
    got = exps(np.array([709.5, 1e308, inf, -708.0, -1e308, -inf, nan]))
    np.testing.assert_allclose(got, [highest, highest, highest, lowest, lowest, lowest, nan], rtol=2 * ULP)
    assert np.isnan(logs(np.array([inf, nan]))).all()
    edges = np.array([2.0**-1022, np.finfo(float).max])
    np.testing.assert_allclose(logs(edges), np.log(edges), rtol=2 * ULP)


def test_python_gives_the_same_within_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does with NUMBA_DISABLE_JIT and in the simulator of CUDA; there no product and sum are one instruction."""
    monkeypatch.setattr(elementary, "bits_of", bits._bits_in_python)
    monkeypatch.setattr(elementary, "number_of", bits._number_in_python)
    x = np.random.default_rng(3).uniform(-50.0, 50.0, 500)
    np.testing.assert_allclose([exp.py_func(v) for v in x], exps(x), rtol=2 * ULP)
    np.testing.assert_allclose([log.py_func(np.exp(v)) for v in x], logs(np.exp(x)), rtol=3 * ULP)
