"""One dense layer as vectors: beside numpy and beside its own Python, for every way of cutting outputs into tiles."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from mmrl.kernels.dense import BLOCK, beside_in_order, beside_in_vectors, in_order, in_vectors
from mmrl.kernels.instructions import LANES


@njit
def in_compiled_code(flat, at, inputs, outputs, x, y):  # type: ignore[no-untyped-def]
    in_vectors(flat, at, inputs, outputs, x, y)  # type: ignore[call-arg]


@njit
def eight_rows(flat, at, inputs, outputs, wanted, x, y):  # type: ignore[no-untyped-def]
    beside_in_vectors(flat, at, inputs, outputs, wanted, x, y)  # type: ignore[call-arg]


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


@pytest.mark.parametrize("outputs", [8, 16, 24, 32, 40, 56, 64, 72])
@pytest.mark.parametrize("inputs", [1, 2, 3, 4, 5, 7, 33])
def test_eight_rows_beside_each_other_are_each_to_the_last_bit_as_alone(inputs: int, outputs: int) -> None:
    rng = np.random.default_rng(inputs * 100 + outputs)
    flat = rng.normal(size=5 + outputs * (inputs + 1)).astype(np.float32)
    x = rng.normal(size=(inputs + 1, LANES)).astype(np.float32)
    x[inputs] = np.nan  # not read
    alone = np.empty((LANES, outputs), np.float32)
    for row in range(LANES):
        in_compiled_code(flat, 5, inputs, outputs, np.ascontiguousarray(x[:, row]), alone[row])
    for wanted in {1, 2, 3, outputs - 1, outputs}:
        y = np.full((outputs + 1, LANES), -7.0, np.float32)
        eight_rows(flat, 5, inputs, outputs, wanted, x, y)
        np.testing.assert_array_equal(y[:wanted], alone.T[:wanted])
        assert (y[outputs] == -7.0).all()
    plain = np.zeros((outputs, LANES), np.float32)
    beside_in_order(flat, 5, inputs, outputs, outputs, x, plain)
    np.testing.assert_allclose(plain, alone.T, atol=2e-5)
