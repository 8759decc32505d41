"""A network begins with the numbers that torch would give it, without torch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from mmrl.learn import initial


@pytest.mark.parametrize("seed", [0, 5, 2**40 + 17, 2**62 + 12345])
def test_normal_numbers_are_torchs(seed: int) -> None:
    """Also where fewer than sixteen are asked for, of which one is kept for the next time."""
    torch.manual_seed(seed)
    draws = initial._Torch(seed)
    for count in (5, 3, 16, 40, 1, 100, 7, 1024, 999, 2, 2):
        np.testing.assert_allclose(draws.normals(count), torch.empty(count).normal_(), atol=2e-6)


@pytest.mark.parametrize("sizes", [(2, 2), (3, 2, 1), (6, 32, 32, 4), (2, 33, 7), (40, 5, 11)])
def test_a_network_is_torchs(sizes: tuple[int, ...]) -> None:
    torch.manual_seed(7)
    layers = [torch.nn.Linear(inputs, outputs) for inputs, outputs in pairwise(sizes)]
    for k, layer in enumerate(layers):
        torch.nn.init.orthogonal_(layer.weight, 5 / 3 if k + 1 < len(layers) else 0.01)
    found = initial.network(sizes, 0.01, seed=7)
    for k, layer in enumerate(layers):
        weight = found[f"linear.{k}.weight"]
        np.testing.assert_allclose(weight, layer.weight.detach(), atol=1e-5 * float(layer.weight.detach().abs().max()))
        assert weight.flags.c_contiguous and weight.dtype == np.float32
        assert not found[f"linear.{k}.bias"].any()
    assert found["skip.weight"].shape == (sizes[-1], sizes[0]) and not found["skip.weight"].any()


def test_layers_are_orthogonal() -> None:
    found = initial.network((6, 32, 32, 4), 0.01, seed=1)
    for name, gain in (("linear.1.weight", 5 / 3), ("linear.2.weight", 0.01)):
        rows = found[name] / gain
        np.testing.assert_allclose(rows @ rows.T, np.eye(len(rows)), atol=1e-5)
