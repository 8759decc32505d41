"""Our Adam takes the steps that torch's takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from mmrl.learn.adam import Adam
from mmrl.learn.layout import Layout

LAYOUT = Layout({"weight": (4, 3), "bias": (4,), "late": (2,)})
SIZE = sum(LAYOUT.sizes)


def earlier(optimiser: Adam, count: int) -> dict[str, Any]:
    """Its state as an earlier version had it, in lists, of the first arrays only."""
    state = optimiser.state_dict()
    lists = {name: list(LAYOUT.named(state[name]).values())[:count] for name in ("mean", "square")}
    return {"steps": state["steps"][:count], **lists}


@pytest.mark.parametrize("kind", ["array", "tensor"])
def test_equals_torch_step_by_step_also_where_one_array_began_later(kind: str) -> None:
    """Arrays in compiled code, tensors by torch."""
    rng = np.random.default_rng(0)
    start = rng.normal(size=SIZE).astype(np.float32)
    mine = start.copy() if kind == "array" else torch.from_numpy(start.copy())
    theirs = [torch.nn.Parameter(torch.from_numpy(part.copy())) for part in LAYOUT.named(start).values()]
    ours, torchs = Adam(LAYOUT, mine, 0.02), torch.optim.Adam(theirs, lr=0.02, eps=1e-5)
    for step in range(50):
        if step == 10:  # as a parameter that an earlier version did not have
            ours.load_state_dict(earlier(ours, 2))
            assert ours.steps == [10, 10, 0]
            del torchs.state[theirs[-1]]
        if step == 25:
            ours.rate = torchs.param_groups[0]["lr"] = 0.001
        gradient = (rng.normal(size=SIZE) * (1 + step % 3)).astype(np.float32)
        for parameter, part in zip(theirs, LAYOUT.named(gradient).values(), strict=True):
            parameter.grad = torch.from_numpy(part.copy())
        ours.step(mine, gradient if kind == "array" else torch.from_numpy(gradient))
        torchs.step()
        wanted = np.concatenate([parameter.detach().numpy().ravel() for parameter in theirs])
        np.testing.assert_allclose(np.asarray(mine), wanted, rtol=1e-6, atol=2e-7)


def test_goes_on_from_its_state_bit_for_bit_and_refuses_that_of_other_networks() -> None:
    layout = Layout({"one": (5,)})

    def walk(numbers: np.ndarray, steps: range, optimiser: Adam) -> None:
        for step in steps:
            optimiser.step(numbers, np.sin(np.arange(5.0) * (step + 1)).astype(np.float32))

    straight, first = np.ones(5, np.float32), np.ones(5, np.float32)
    walk(straight, range(20), Adam(layout, straight, 0.1))
    before = Adam(layout, first, 0.1)
    walk(first, range(8), before)
    after = Adam(layout, first, 0.1)
    after.load_state_dict(before.state_dict())
    walk(first, range(8, 20), after)
    np.testing.assert_array_equal(first, straight)
    with pytest.raises(ValueError, match="other networks"):
        Adam(Layout({"one": (6,)}), np.ones(6, np.float32), 0.1).load_state_dict(before.state_dict())


def test_a_state_in_lists_is_that_in_vectors_and_more_arrays_are_refused() -> None:
    rng = np.random.default_rng(3)
    numbers = rng.normal(size=SIZE).astype(np.float32)
    before = Adam(LAYOUT, numbers, 0.1)
    for _ in range(3):
        before.step(numbers, rng.normal(size=SIZE).astype(np.float32))
    after = Adam(LAYOUT, numbers, 0.1)
    after.load_state_dict(earlier(before, 3))
    assert after.steps == [3, 3, 3]
    np.testing.assert_array_equal(after.mean, before.mean)
    np.testing.assert_array_equal(after.square, before.square)
    for state in (before.state_dict(), earlier(before, 3)):
        moments = {name: [*state[name], *state[name]] for name in ("mean", "square")}
        for wrong in (moments, {"steps": [3, 3, 3, 3]}):
            with pytest.raises(ValueError, match="other networks"):
                after.load_state_dict({**state, **wrong})
