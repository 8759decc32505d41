"""The update: losses and gradients by hand, against a dense masked computation, and its refusals."""

from collections.abc import Callable
from types import SimpleNamespace as Space
from typing import Any

import numpy as np
import pytest
import torch

from mmrl.learn.adam import Adam
from mmrl.learn.compiled_pass import LOG_RATIO_BOUND, _exp
from mmrl.learn.gradient import accumulate
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.learn.policy import Policy
from mmrl.learn.returns import Diverged, LearningBatch, learning_batch
from mmrl.learn.tensor_gradient import policy_loss
from mmrl.learn.tensor_policy import log_prob_entropy, outputs, tensor
from mmrl.learn.update import NOCLIP_KL, make_optimiser, update
from mmrl.rollout.arrays import host


def settings_of(**changes: Any) -> Any:
    training = {
        "algorithm": "ppo", "clip": 0.2, "noclip": False, "update_freq": 1, "minibatches": 1, "entropy": 0.0,
        "max_grad_norm": 0.0, "target_kl": 0.0, "lr": 1e-2, "td": False, "lambd": 1.0,
    }  # fmt: skip
    reward = Space(utility="custom", final_kind="none", discount=0.9, time_limit="ends")
    return Space(training=Space(**{**training, **changes}), reward=reward, market=Space(nt=9))


def policy_of(kind: str = "gaussian") -> Policy:
    policy = Policy((3, 8, 8, 2), log_std=[-0.5, -0.5])
    if kind == "categorical":
        policy = Policy((3, 8, 8, 7), choices=(3, 4))
    policy.parameters["network.linear.2.weight"][:] *= 100.0
    return policy


class Captured(Adam):
    """An optimiser that remembers the gradients it was given and moves nothing."""

    def __init__(self, policy: Policy) -> None:
        super().__init__(policy.layout, policy.numbers, 0.0)
        self.gradients: list[np.ndarray] = []

    def step(self, numbers: Any, gradient: Any) -> None:
        self.gradients.append(gradient.copy())


def log_probs(policy: Policy, batch: LearningBatch) -> np.ndarray:
    found: np.ndarray = log_prob_entropy(policy, tensor(batch.observation), tensor(batch.action))[0].numpy()
    return found


def test_clipped_loss_and_gradient_of_three_steps_by_hand() -> None:
    # ratios 1.5, 1.5, 0.5 and advantages 2, -2, 1, clip 0.2:
    # min(3, 2.4) = 2.4 (flat), min(-3, -2.4) = -3 (slope ratio * A = -3), min(.5, .8) = .5 (slope .5)
    log_prob = torch.log(torch.tensor([1.5, 1.5, 0.5])).requires_grad_()
    advantage = torch.tensor([2.0, -2.0, 1.0])
    loss, _ = policy_loss(log_prob, torch.zeros(3), advantage, settings_of())
    torch.testing.assert_close(loss.detach(), torch.tensor([-2.4, 3.0, -0.5]))
    (gradient,) = torch.autograd.grad(loss.mean(), log_prob)
    torch.testing.assert_close(gradient, torch.tensor([0.0, 1.0, -0.5 / 3]))
    loss, _ = policy_loss(log_prob, torch.zeros(3), advantage, settings_of(noclip=True))
    torch.testing.assert_close(loss.detach(), torch.tensor([-3.0, 3.0, -0.5]))
    loss, _ = policy_loss(log_prob, torch.zeros(3), advantage, settings_of(algorithm="reinforce"))
    (gradient,) = torch.autograd.grad(loss.sum(), log_prob)
    torch.testing.assert_close(gradient, -advantage)


def test_gaussian_log_probability_by_hand() -> None:
    policy = Policy((1, 2, 1), log_std=[float(np.log(2.0))])
    policy.network[:] = 0.0
    log_prob, entropy = log_prob_entropy(policy, torch.zeros(1, 1), torch.tensor([[2.0]]))
    # N(0, 4) at 2: -1/2 - ln 2 - ln(2 pi)/2
    assert log_prob.item() == pytest.approx(-0.5 - np.log(2) - 0.5 * np.log(2 * np.pi), rel=1e-6)
    assert entropy.item() == pytest.approx(0.5 * np.log(2 * np.pi * np.e * 4), rel=1e-6)


@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
@pytest.mark.parametrize(
    "options", [{}, {"noclip": True, "target_kl": 1.0}, {"algorithm": "reinforce"}, {"entropy": 0.1}]
)
def test_gradient_equals_a_dense_masked_one(make_batch: Callable[..., Any], kind: str, options: Any) -> None:
    """Lengths from 0 and 1 to the full 9; the dense side pads with zeros and masks the loss."""
    rng = np.random.default_rng(3)
    nnz = 1 + 9 + 4
    action = rng.normal(size=(nnz, 2)) if kind == "gaussian" else rng.integers(0, 3, (nnz, 2))
    policy = policy_of(kind)
    raw = make_batch([1, 9, 0, 4], action=action.astype(np.float32))
    exact = log_probs(policy, raw)
    raw = make_batch(
        [1, 9, 0, 4],
        action=action.astype(np.float32),
        log_prob=(exact + rng.normal(0, 0.3, nnz)).astype(np.float32),
    )
    config = settings_of(**options)
    learning = learning_batch(raw, config, None)
    optimiser = Captured(policy)
    stats = update(policy, optimiser, learning, config, rng)

    dense = {
        name: torch.as_tensor(raw.to_dense(column, 9)[0])
        for name, column in vars(learning).items()
        if isinstance(column, np.ndarray)
    }
    mask = torch.as_tensor(raw.to_dense("step", 9)[1]).double()
    flat = {name: column.reshape(36, *column.shape[2:]) for name, column in dense.items()}
    numbers = tensor(policy.numbers).clone().requires_grad_()
    log_prob, entropy = log_prob_entropy(policy, flat["observation"], flat["action"], numbers)
    each, _ = policy_loss(log_prob, flat["log_prob"], flat["advantage"], config)
    live = mask.reshape(-1)
    loss = ((each - config.training.entropy * entropy) * live).sum() / live.sum()
    assert stats.policy_loss == pytest.approx((each * live).sum().item() / 14, abs=1e-5)
    loss.backward()
    np.testing.assert_allclose(optimiser.gradients[0], host(numbers.grad), rtol=1e-4, atol=1e-6)


def simple_batch(policy: Policy, rows: int = 64) -> LearningBatch:
    generator = torch.Generator().manual_seed(1)
    observation = torch.randn(rows, 3, generator=generator)
    action, log_prob = policy.sample(observation, generator)
    columns = (observation, action, log_prob, torch.randn(rows, generator=generator))
    return LearningBatch.of(column.numpy() for column in columns)


@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
def test_sampled_log_probabilities_are_those_of_the_loss(kind: str) -> None:
    policy = policy_of(kind)
    batch = simple_batch(policy)
    np.testing.assert_allclose(log_probs(policy, batch), batch.log_prob, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("where", ["gradient", "parameter"])
def test_diverged_comes_before_the_step_and_names_the_tensor(where: str) -> None:
    policy = policy_of()
    batch = simple_batch(policy)
    name = "network.linear.1.weight"

    def spoilt(*arguments: Any) -> list[float]:
        numbers = accumulate(*arguments)
        policy.layout.named(policy.gradient)[name][0, 0] = float("nan")
        return numbers

    if where == "parameter":
        policy.parameters[name][0, 0] = float("nan")
    optimiser, rng = Captured(policy), np.random.default_rng(0)
    found = spoilt if where == "gradient" else accumulate
    with pytest.raises(Diverged, match=f"{where}.* policy.{name} is not finite"):
        update(policy, optimiser, batch, settings_of(), rng, gradient=found)
    assert optimiser.gradients == []  # not one step was taken


def test_a_gradient_whose_square_no_float_holds_is_told() -> None:
    """The policy would stay where it is from then on, with numbers that are all finite."""
    policy = policy_of()
    batch = simple_batch(policy)

    def huge(*arguments: Any) -> list[float]:
        numbers = accumulate(*arguments)
        policy.gradient[3] = 1e25
        return numbers

    optimiser, rng = make_optimiser(policy, settings_of()), np.random.default_rng(0)
    with pytest.raises(Diverged, match="second moment of the optimiser is not finite"):
        update(policy, optimiser, batch, settings_of(max_grad_norm=0.0), rng, gradient=huge)
    optimiser = make_optimiser(policy, settings_of())
    update(policy, optimiser, batch, settings_of(max_grad_norm=0.5), rng, gradient=huge)  # clipped it is none


def test_kl_stop_minibatches_and_reinforce_count_their_passes() -> None:
    policy = policy_of()
    batch, rng = simple_batch(policy), np.random.default_rng(0)
    config = settings_of(update_freq=5, minibatches=4)
    optimiser = Captured(policy)
    assert update(policy, optimiser, batch, config, rng).passes == 5
    assert len(optimiser.gradients) == 20
    config = settings_of(update_freq=50, target_kl=1e-3, lr=3e-2)
    stats = update(policy, make_optimiser(policy, config), batch, config, rng)
    assert 1 <= stats.passes < 50
    config = settings_of(update_freq=5, algorithm="reinforce")
    assert update(policy, make_optimiser(policy, config), batch, config, rng).passes == 1


@pytest.mark.parametrize("parts", [1, 2, 7])
def test_reinforce_takes_one_step_by_the_gradient_of_the_whole_batch(parts: int) -> None:
    policy = policy_of()
    batch = simple_batch(policy)
    numbers = tensor(policy.numbers).clone().requires_grad_()
    log_prob, _ = log_prob_entropy(policy, tensor(batch.observation), tensor(batch.action), numbers)
    (-(log_prob * tensor(batch.advantage)).mean()).backward()
    config = settings_of(update_freq=3, algorithm="reinforce", minibatches=parts)
    optimiser = Captured(policy)
    update(policy, optimiser, batch, config, np.random.default_rng(0))
    assert len(optimiser.gradients) == 1
    np.testing.assert_allclose(optimiser.gradients[0], host(numbers.grad), rtol=1e-4, atol=1e-6)


def kl_of(policy: Policy, batch: LearningBatch) -> float:
    ratio = log_probs(policy, batch) - batch.log_prob
    return float((np.exp(ratio) - 1 - ratio).mean())


@pytest.mark.parametrize("target", [0.0, 0.002])
def test_without_clipping_the_update_ends_within_its_kl_bound(target: float) -> None:
    policy = policy_of()
    batch, rng = simple_batch(policy), np.random.default_rng(0)
    free = settings_of(update_freq=4, minibatches=2, lr=0.2, clip=0.9)
    bounded = settings_of(update_freq=4, minibatches=2, lr=0.2, noclip=True, target_kl=target)
    before = policy.state_dict()
    update(policy, make_optimiser(policy, free), batch, free, rng)
    assert kl_of(policy, batch) > 0.1
    policy.restore(before)
    update(policy, make_optimiser(policy, bounded), batch, bounded, rng)
    assert 0 < kl_of(policy, batch) <= (target or NOCLIP_KL)


def test_a_pass_that_was_stopped_shows_the_steps_that_were_taken() -> None:
    policy = policy_of()
    batch = simple_batch(policy)
    config = settings_of(update_freq=1, minibatches=4, lr=0.05, target_kl=1e-3)
    stats = update(policy, make_optimiser(policy, config), batch, config, np.random.default_rng(0))
    assert stats.passes == 1 and stats.entropy > 1.0  # it starts at 1.84
    assert 0 <= stats.kl <= 1e-3  # of the steps that were taken, none of which was beyond the bound


def test_gradient_clipping_bounds_the_norm() -> None:
    policy = policy_of()
    config = settings_of(max_grad_norm=1e-3)
    optimiser = Captured(policy)
    stats = update(policy, optimiser, simple_batch(policy), config, np.random.default_rng(0))
    assert stats.grad_norm > 1e-2
    assert np.linalg.norm(optimiser.gradients[0]) == pytest.approx(1e-3, rel=1e-3)


def test_exported_weights_give_the_same_means() -> None:
    policy = policy_of()
    normaliser = RunningNormaliser(3)
    rows = np.random.default_rng(0).normal(5, 3, size=(50, 3)).astype(np.float32)
    normaliser.update(rows)
    weights = policy.weights(normaliser)
    want = outputs(policy, torch.as_tensor(weights.normalise(rows)))
    np.testing.assert_allclose(weights.forward(weights.normalise(rows)), want, atol=1e-5)


def test_the_exponential_of_a_ratio() -> None:
    x = np.linspace(-LOG_RATIO_BOUND, LOG_RATIO_BOUND, 100_001)
    np.testing.assert_allclose([_exp(v) for v in x], np.exp(x), rtol=1e-12)
