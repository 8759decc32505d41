"""Learning on an NVIDIA GPU: `make cuda` where there is one."""

from __future__ import annotations

from copy import copy
from typing import Any

import numpy as np
import pytest
import torch

from mmrl.learn import compiled_pass, cuda_pass
from mmrl.learn.discounting import discounted_sums
from mmrl.learn.gradient import accumulate
from mmrl.learn.normaliser import column_statistics
from mmrl.learn.policy import Policy
from mmrl.learn.record import batch_record
from mmrl.learn.returns import LearningBatch, learning_batch
from mmrl.learn.team import Pass, Team
from mmrl.learn.tensor_gradient import by_autograd
from mmrl.learn.trainer import Trainer
from mmrl.learn.update import make_optimiser, update
from mmrl.markets.contract import spec_of
from mmrl.rollout.arrays import host
from mmrl.rollout.devices import cuda_lacks
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve
from mmrl.training.diagnostics import Diagnostics
from tests.learn import cuda_pass_cases

LACKS = cuda_lacks()
pytestmark = [pytest.mark.cuda, pytest.mark.skipif(bool(LACKS), reason=LACKS), pytest.mark.filterwarnings("ignore")]
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "game": ("avellaneda-stoikov", {}),
    "game, cara": ("avellaneda-stoikov", {"reward.utility": "cara", "training.td": False}),
    "book": ("quickstart", {"market.nt": 100}),
    "choices": ("order-flow-small", {"market.nt": 50}),
    "no value function": ("quickstart", {"market.nt": 100, "training.noadv": True, "training.td": False}),
}


def _trainer(name: str, **changes: Any) -> Trainer:
    preset, settings = CASES[name]
    wanted = {"run.device": "cuda", "run.engine": "cuda", "training.nb": 300, "training.ne": 20, **settings, **changes}
    return Trainer(resolve(wanted, None, preset, {})[0])


@pytest.mark.parametrize("name", CASES)
def test_returns_and_figures_are_those_of_the_host(name: str) -> None:
    trainer = _trainer(name)
    trainer.step()
    batch, config = trainer.rollout(2), trainer.config
    state = None if trainer.value is None else trainer.value.state_dict()
    on_device = learning_batch(batch, config, trainer.value, "cuda")
    value = trainer.value
    if value is not None:
        value.load_state_dict(state)  # type: ignore[arg-type]
        value.device = "cpu"
    on_host = learning_batch(batch.numpy(), config, value, "cpu", 2)
    assert on_device.advantage.is_cuda
    for column in ("observation", "action", "log_prob"):
        np.testing.assert_array_equal(host(getattr(on_device, column)), host(getattr(on_host, column)))
    np.testing.assert_allclose(host(on_device.advantage), host(on_host.advantage), rtol=5e-3, atol=5e-3)
    assert on_device.explained_variance == pytest.approx(on_host.explained_variance, abs=1e-4, nan_ok=True)
    found, wanted = batch_record(batch), batch_record(batch.numpy())
    assert all(found[key] == pytest.approx(wanted[key], rel=1e-9, abs=1e-9, nan_ok=True) for key in wanted)
    for one, other in zip(
        column_statistics(batch.observation), column_statistics(host(batch.observation)), strict=True
    ):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
    assert Diagnostics().look(config, batch, found) == Diagnostics().look(config, batch.numpy(), wanted)


def test_sums_of_ragged_trajectories() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 50, 5000)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    error, rate = rng.normal(size=(2, offsets[-1]))
    sent, starts, factor = (torch.as_tensor(array, device="cuda") for array in (error, offsets, rate))
    found = host(discounted_sums(sent, starts, factor))
    np.testing.assert_allclose(found, discounted_sums(error, offsets, rate), rtol=1e-9)


def test_a_training_goes_on_to_the_last_bit() -> None:
    whole = _trainer("book")
    records = [epoch.record for epoch in whole.run(4)]
    first = _trainer("book")
    [*first.run(2)]
    second = _trainer("book")
    second.load_state_dict(first.state_dict())
    for epoch, record in zip(second.run(4), records[2:], strict=True):
        assert {k: v for k, v in epoch.record.items() if "second" not in k} == {
            k: v for k, v in record.items() if "second" not in k
        }
    assert torch.equal(whole.policy.numbers, second.policy.numbers)


def test_rows_stay_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = _trainer("game")
    trainer.step()
    largest, before = 0, torch.Tensor.cpu

    def watched(tensor: torch.Tensor, *args: Any) -> torch.Tensor:
        nonlocal largest
        largest = max(largest, tensor.numel() if tensor.is_cuda else 0)
        return before(tensor, *args)

    monkeypatch.setattr(torch.Tensor, "cpu", watched)
    assert trainer.step().batch.nnz > 20_000
    assert largest < 20_000


@pytest.mark.parametrize("part", [False, True])
@pytest.mark.parametrize("case", cuda_pass_cases.CASES, ids=lambda case: case[0])
def test_gradients_are_those_of_the_cpu(case: tuple[str, str, str, str], part: bool) -> None:
    given = cuda_pass_cases.case(*case[1:], part)
    rows, order, flat, sizes, loss = given
    order = np.arange(cuda_pass_cases.ROWS) if order is None else order
    wanted = Pass(rows, compiled_pass.Weights(flat, np.array(sizes, np.int64)), loss).sums(order)
    found = cuda_pass_cases.on_device(given, "cuda")
    for name, sums in wanted._asdict().items():
        largest = np.abs(sums).max(initial=0.0)
        np.testing.assert_allclose(found[name][: sums.size], sums, rtol=1e-4, atol=1e-4 * largest, err_msg=name)


@pytest.mark.parametrize("layer_size", [32, 100, 256])
def test_gradients_of_many_rows_are_those_of_autograd_in_double_precision(layer_size: int) -> None:
    """The wider networks have no kernel: there torch differentiates, in large chunks."""
    torch.manual_seed(0)
    trainer = _trainer("game", **{"policy.layer_size": layer_size})
    policy, config, device = trainer.policy, trainer.config, torch.device("cuda")
    rows, columns = 200_003, len(spec_of(config).columns)
    batch = LearningBatch(
        torch.randn(rows, columns, device=device),
        torch.randn(rows, 2, device=device),
        torch.randn(rows, device=device) * 0.3 - 2.0,
        torch.randn(rows, device=device),
    )
    part = torch.randperm(rows, device=device)[: rows // 3].sort().values
    found = accumulate(policy, batch, part, config, 0.01)
    gradient = policy.layout.named(policy.gradient)
    wanted = _in_double_precision(policy, batch, part, config, 0.01, Team())
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)
    for name, exact in policy.layout.named(policy.gradient).items():
        assert (gradient[name] - exact).norm() < 1e-4 * exact.norm() + 1e-9


def _in_double_precision(
    policy: Policy, batch: LearningBatch, part: torch.Tensor | None, config: Config, coefficient: float, team: Team
) -> list[float]:
    """What `accumulate` does, by autograd in float64."""
    double: Any = [column.double() for column in batch.rows]  # type: ignore[attr-defined]
    twin = copy(policy)
    twin.numbers = policy.numbers.double()
    means = by_autograd(twin, LearningBatch.of(double), part, config, coefficient)
    policy.gradient = twin.gradient.float()
    return means


@pytest.mark.parametrize("name", ["game", "book", "choices"])
def test_an_update_is_that_of_autograd_in_double_precision(name: str) -> None:
    trainer = _trainer(name)
    trainer.step()
    config, before = trainer.config, trainer.policy.numbers.clone()
    batch = learning_batch(trainer.rollout(2), config, trainer.value, "cuda")
    moved = []
    for gradient in (accumulate, _in_double_precision):
        policy = trainer.policy
        policy.numbers[:] = before
        stats = update(
            policy, make_optimiser(policy, config), batch, config, np.random.default_rng(0), gradient=gradient
        )
        assert stats.passes == config.training.update_freq
        moved.append(policy.numbers - before)
    assert (moved[0] - moved[1]).norm() < 1e-4 * moved[1].norm()


@pytest.mark.parametrize("name", ["game", "choices"])
def test_nothing_compiles_while_an_epoch_runs(name: str) -> None:
    """Not even for another layout of the rows, with the mirrored ones or in another order."""
    trainer = _trainer(name)
    spec, gaussian = spec_of(trainer.config), trainer.config.policy.kind == "gaussian"
    outputs = len(spec.axes) if gaussian else sum(len(axis.grid) for axis in spec.axes)
    kernel = cuda_pass.kernel_of(len(spec.axes), outputs, gaussian)
    compiled = set(kernel.overloads)
    assert compiled
    trainer.step()
    assert set(kernel.overloads) == compiled
