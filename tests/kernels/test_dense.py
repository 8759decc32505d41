"""One dense layer as vectors: beside numpy and beside its own Python, for every way of cutting outputs into tiles."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from mmrl.kernels.dense import BLOCK, in_order, in_vectors


@njit
def in_compiled_code(flat, at, inputs, outputs, x, y):  # type: ignore[no-untyped-def]
    in_vectors(flat, at, inputs, outputs, x, y)  # type: ignore[call-arg]


@pytest.mark.parametrize("outputs", [8, 16, 24, 32, 40, 56, 64, 72])
@pytest.mark.parametrize("inputs", [1, 2, 3, 4, 5, 7, 33])
def test_a_layer_is_the_product_and_touches_nothing_else(inputs: int, outputs: int) -> None:
    rng = np.random.default_rng(inputs * 100 + outputs)
    weight, bias, x = (rng.normal(size=s).astype(np.float32) for s in ((inputs, outputs), (1, outputs), inputs + 3))
    blocks = np.concatenate([bias, weight]).reshape(inputs + 1, -1, BLOCK).transpose(1, 0, 2).ravel()
    flat = np.concatenate([np.full(5, np.nan, np.float32), blocks, np.full(8, np.nan, np.float32)])
    x[inputs:] = np.nan  # neither read
    want = x[:inputs].astype(float) @ weight + bias[0]
    for layer in (in_compiled_code, in_order):
        y = np.full(outputs + 9, -7.0, np.float32)
        layer(flat, 5, inputs, outputs, x, y[1:])
        np.testing.assert_allclose(y[1 : outputs + 1], want, atol=2e-5)
        assert y[0] == -7.0 and (y[outputs + 1 :] == -7.0).all()  # nor written


@pytest.mark.parametrize("outputs", [8, 24, 72])
def test_numbers_may_lie_apart_as_those_of_a_thread_of_cuda_do(outputs: int) -> None:
    rng, inputs, threads = np.random.default_rng(outputs), 5, 3
    flat = rng.normal(size=outputs * (inputs + 1)).astype(np.float32)
    x, want = rng.normal(size=inputs).astype(np.float32), np.zeros(outputs, np.float32)
    in_order(flat, 0, inputs, outputs, x, want)
    all_x, all_y = np.full((inputs, threads), np.nan, np.float32), np.full((outputs, threads), -7.0, np.float32)
    all_x[:, 1] = x
    in_compiled_code(flat, 0, inputs, outputs, all_x[:, 1], all_y[:, 1])
    np.testing.assert_allclose(all_y[:, 1], want, atol=2e-5)
    assert (all_y[:, [0, 2]] == -7.0).all()  # those of the neighbours stay
