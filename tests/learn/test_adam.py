"""Our Adam takes the steps that torch's takes."""

from __future__ import annotations

import pytest
import torch

from mmrl.learn.adam import Adam


@pytest.mark.parametrize("compiled", [True, False])
def test_equals_torch_step_by_step_also_where_a_parameter_rests(compiled: bool) -> None:
    """On a CPU in compiled code, on other devices by torch."""
    torch.manual_seed(0)
    start = [torch.randn(4, 3), torch.randn(4), torch.randn(2)]
    mine, theirs = ([torch.nn.Parameter(p.clone()) for p in start] for _ in range(2))
    ours = Adam([{"params": mine[:2], "lr": 0.02}, {"params": mine[2:], "lr": 0.003}])
    assert ours.on_cpu
    ours.on_cpu = compiled
    torchs = torch.optim.Adam([{"params": theirs[:2], "lr": 0.02}, {"params": theirs[2:], "lr": 0.003}], eps=1e-5)
    for step in range(50):
        for k, (a, b) in enumerate(zip(mine, theirs, strict=True)):
            rests = k == 1 and step % 3 == 1
            a.grad = None if rests else torch.randn_like(a) * (1 + k)
            b.grad = None if a.grad is None else a.grad.clone()
        if step == 25:
            ours.param_groups[0]["lr"] = torchs.param_groups[0]["lr"] = 0.001
        ours.step()
        torchs.step()
        for a, b in zip(mine, theirs, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


def test_goes_on_from_its_state_bit_for_bit_and_refuses_that_of_other_networks() -> None:
    def gradients(parameter: torch.nn.Parameter, steps: range, optimiser: Adam) -> None:
        for step in steps:
            parameter.grad = torch.sin(torch.arange(5.0) * (step + 1))
            optimiser.step()

    straight = torch.nn.Parameter(torch.ones(5))
    whole = Adam([{"params": [straight], "lr": 0.1}])
    gradients(straight, range(20), whole)
    first = torch.nn.Parameter(torch.ones(5))
    before = Adam([{"params": [first], "lr": 0.1}])
    gradients(first, range(8), before)
    second = torch.nn.Parameter(first.detach().clone())
    after = Adam([{"params": [second], "lr": 0.1}])
    after.load_state_dict(before.state_dict())
    gradients(second, range(8, 20), after)
    assert torch.equal(second, straight)
    other = Adam([{"params": [torch.nn.Parameter(torch.ones(6))], "lr": 0.1}])
    try:
        other.load_state_dict(before.state_dict())
    except ValueError as error:
        assert "other networks" in str(error)
    else:
        raise AssertionError("a state of other shapes was taken")
