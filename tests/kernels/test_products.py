"""Products with blocks of rows: beside numpy, for every way of cutting them into tiles."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from mmrl.kernels import products
from mmrl.kernels.products import BLOCK, mix, pair

SHAPES = [(1, 1), (1, 5), (2, 4), (3, 9), (4, 8), (5, 3), (7, 6), (16, 16), (33, 13)]


@njit
def mixed(*given):  # type: ignore[no-untyped-def]
    mix(*given)


@njit
def paired(*given):  # type: ignore[no-untyped-def]
    pair(*given)


def arrays(inputs: int, outputs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights [outputs, inputs], rows before [inputs, BLOCK] and behind [outputs, BLOCK] them."""
    rng = np.random.default_rng(inputs * 100 + outputs)
    shapes = ((outputs, inputs), (inputs, BLOCK), (outputs, BLOCK))
    return tuple(rng.normal(size=shape).astype(np.float32) for shape in shapes)  # type: ignore[return-value]


@pytest.mark.parametrize(("inputs", "outputs"), SHAPES)
def test_a_mix_is_a_product_of_matrices_either_way_round(inputs: int, outputs: int) -> None:
    weights, before, behind = arrays(inputs, outputs)
    flat = np.concatenate([np.full(3, np.nan, np.float32), weights.ravel()])
    for work in (mixed, products._mix_in_order):
        forward, back = np.vstack([behind, behind[:1]]), np.vstack([before, before[:1]])
        work(flat, 3, inputs, 1, inputs, outputs, before, forward)
        np.testing.assert_allclose(forward[:-1], behind + weights @ before, atol=5e-5)
        work(flat, 3, 1, inputs, outputs, inputs, behind, back)
        np.testing.assert_allclose(back[:-1], before + weights.T @ behind, atol=5e-5)
        np.testing.assert_array_equal(forward[-1], behind[0])  # a row behind them is left alone
        np.testing.assert_array_equal(back[-1], before[0])


@pytest.mark.parametrize(("inputs", "outputs"), SHAPES)
def test_a_pair_gives_the_gradient_of_weights(inputs: int, outputs: int) -> None:
    weights, before, behind = arrays(inputs, outputs)
    for work in (paired, products._pair_in_order):
        grads = np.concatenate([np.full(3, 7.0, np.float32), weights.ravel(), np.full(3, 7.0, np.float32)])
        work(behind, outputs, before, inputs, grads, 3)
        got = grads[3:-3].reshape(outputs, inputs)
        np.testing.assert_allclose(got, weights + behind.astype(float) @ before.T, atol=1e-4)
        assert (grads[:3] == 7.0).all() and (grads[-3:] == 7.0).all()
