"""Features and their weighted sums: beside the formula, beside torch, whatever the number of threads."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mmrl.learn.blocks import SPAN
from mmrl.learn.features import Features

ROWS = 2 * SPAN + 77


def features_of(inputs: int, threads: int = 1, device: str = "cpu") -> Features:
    torch.manual_seed(inputs)
    return Features(torch.randn(inputs, 64), torch.randn(64), torch.device(device), threads)


@pytest.mark.parametrize("inputs", [1, 2, 6])
def test_sums_are_those_of_the_formula(inputs: int) -> None:
    observation, weight = torch.randn(ROWS, inputs), torch.randn(65 + 2 * inputs, dtype=torch.float64)
    weight[-1] = 1e9  # costs no digits of the rest
    features = features_of(inputs)
    s = observation.double()
    hidden = torch.tanh(s @ features.direction.double() + features.offset.double())
    phi = torch.cat([hidden, s, s**2, torch.ones(ROWS, 1).double()], 1)
    np.testing.assert_allclose(features.of(observation), phi, atol=3e-6)
    got, want = features.sums(observation, weight) - 1e9, (phi[:, :-1] @ weight[:-1]).numpy()
    np.testing.assert_allclose(got, want, atol=1e-4)


def test_threads_change_no_bit() -> None:
    observation, weight = torch.randn(ROWS, 3), torch.randn(71, dtype=torch.float64)
    one, three = features_of(3), features_of(3, threads=3)
    np.testing.assert_array_equal(one.sums(observation, weight), three.sums(observation, weight))
    assert torch.equal(one.of(observation), three.of(observation))


def test_other_devices_do_the_same_by_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    observation, weight = torch.randn(40_000, 4), torch.randn(73, dtype=torch.float64)
    compiled = features_of(4)
    want, values = compiled.sums(observation, weight), compiled.of(observation)
    other = features_of(4)
    monkeypatch.setattr(other, "on_cpu", False)
    np.testing.assert_allclose(other.sums(observation, weight), want, atol=1e-4)
    np.testing.assert_allclose(other.of(observation), values, atol=3e-6)
