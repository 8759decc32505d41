"""The compiled network equals autograd, whatever the number of threads."""

import itertools
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from mmrl.learn import fused


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def network(sizes: list[int]) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(b, a, generator=generator) / a**0.5 for a, b in itertools.pairwise(sizes)]
    biases = [torch.randn(b, generator=generator) for b in sizes[1:]]
    return [w.requires_grad_() for w in weights], [b.requires_grad_() for b in biases]


@pytest.mark.parametrize("sizes", [[6, 16, 16, 4], [2, 10, 1], [3, 5, 7, 9, 2], [4, 3]])
@pytest.mark.parametrize("rows", [512, 5001])
def test_fused_equals_autograd(sizes: list[int], rows: int) -> None:
    weights, biases = network(sizes)
    observation = 3 * torch.randn(rows, sizes[0], generator=torch.Generator().manual_seed(1))
    upstream = torch.randn(rows, sizes[-1], generator=torch.Generator().manual_seed(2)) / rows
    found = []
    for function in (fused.tanh_network, fused.plain_tanh_network):
        out = function(observation, weights, biases)
        found.append([out, *torch.autograd.grad(out, [*weights, *biases], upstream)])
    assert "Fused" in type(found[0][0].grad_fn).__name__  # the compiled path really ran
    for got, want in zip(*found, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-5)


def test_fused_does_not_depend_on_the_number_of_threads() -> None:
    weights, biases = network([6, 16, 16, 4])
    observation = torch.randn(20_000, 6, generator=torch.Generator().manual_seed(1))
    found = []
    for count in (1, 3):
        torch.set_num_threads(count)
        out = fused.tanh_network(observation, weights, biases)
        found.append([out, *torch.autograd.grad(out.square().mean(), [*weights, *biases])])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))
