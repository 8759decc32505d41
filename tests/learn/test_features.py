"""Products and weighted sums of features: beside the formula, beside torch, whatever the number of threads."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmrl.learn.features import SPAN, Features
from mmrl.learn.tensor_features import TensorFeatures
from mmrl.rollout.arrays import host

ROWS = 2 * SPAN + 77


def given(inputs: int, units: int = 64) -> tuple[Any, ...]:
    """D, o, observations, weights and a target."""
    rng = np.random.default_rng(inputs)
    direction, offset, observation = (
        rng.normal(size=(inputs, units)),
        rng.normal(size=units),
        rng.normal(size=(ROWS, inputs)),
    )
    weight, target = rng.normal(size=units + 2 * inputs + 1), rng.normal(size=ROWS)
    weight[-1] = 1e9  # costs no digits of the rest
    return *(array.astype(np.float32) for array in (direction, offset, observation)), weight, target


def phi_of(direction: np.ndarray, offset: np.ndarray, observation: np.ndarray) -> np.ndarray:
    s = observation.astype(np.float64)
    return np.column_stack([np.tanh(s @ direction + offset), s, s**2, np.ones(len(s))])


@pytest.mark.parametrize("kind", ["compiled", "torch"])
@pytest.mark.parametrize(("inputs", "units"), [(1, 64), (2, 64), (6, 64), (19, 64), (3, 5)])
def test_sums_are_those_of_the_formula(inputs: int, units: int, kind: str) -> None:
    direction, offset, observation, weight, target = given(inputs, units)
    phi = phi_of(direction, offset, observation)
    features: Any = Features(direction, offset)
    seen: Any = observation
    if kind == "torch":
        features, seen = TensorFeatures(direction, offset, "cpu"), torch.from_numpy(observation)
    assert features.count == phi.shape[1]
    np.testing.assert_allclose(host(features.sums(seen, weight)) - 1e9, phi[:, :-1] @ weight[:-1], atol=2e-4)
    np.testing.assert_allclose(features.gram(seen), phi.T @ phi, rtol=1e-5, atol=1e-5 * ROWS)
    np.testing.assert_allclose(features.moments(seen, target), phi.T @ target, atol=1e-5 * ROWS)


def test_few_rows_leave_nothing_of_the_rows_before_them() -> None:
    """A block of rows is filled up with zeros."""
    direction, offset, observation, _, target = given(2)
    for rows in (1, 130):
        phi = phi_of(direction, offset, observation[:rows])
        features = Features(direction, offset)
        np.testing.assert_allclose(features.gram(observation[:rows]), phi.T @ phi, rtol=1e-5, atol=1e-4)
        np.testing.assert_allclose(
            features.moments(observation[:rows], target[:rows]), phi.T @ target[:rows], atol=1e-3
        )


def test_threads_change_no_bit() -> None:
    direction, offset, observation, weight, target = given(3)
    one, three = Features(direction, offset), Features(direction, offset, threads=3)
    np.testing.assert_array_equal(one.sums(observation, weight), three.sums(observation, weight))
    np.testing.assert_array_equal(one.gram(observation), three.gram(observation))
    np.testing.assert_array_equal(one.moments(observation, target), three.moments(observation, target))


def test_rows_may_be_some_of_many() -> None:
    direction, offset, observation, _, target = given(3)
    features = Features(direction, offset)
    some = observation[::3]
    np.testing.assert_array_equal(features.gram(some), features.gram(some.copy()))
    np.testing.assert_array_equal(
        features.moments(some, target[::3]), features.moments(some.copy(), target[::3].copy())
    )
