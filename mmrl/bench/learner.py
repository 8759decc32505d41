"""Rows a second of the learner, and what learning from live rows only saves: the path that training uses on a CPU.

"CSR": only live rows are stored and learned from. "dense": all rows, those that were not lived with an advantage of 0,
through the same compiled gradient. "masked": all rows through autograd, the loss a mean by `torch.masked`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from mmrl.bench.clock import seconds_of
from mmrl.bench.rollout import configured

Way = Literal["csr", "dense", "masked"]
CLIP = 0.2


def _rows(count: int, live: float = 1.0) -> tuple[Any, Any, Any]:
    """A policy of the default market, a batch of `count` random rows, and which of them were lived (bool [count])."""
    import numpy as np
    import torch

    from mmrl.learn.policy import make_policy
    from mmrl.learn.returns import LearningBatch
    from mmrl.markets.contract import spec_of

    torch.manual_seed(0)
    config = configured(None, {})
    policy = make_policy(config)
    observation = torch.randn(count, len(spec_of(config).columns))
    action, log_prob = (tensor.detach() for tensor in policy.sample(observation))
    lived = torch.from_numpy(np.random.default_rng(0).random(count) < live)
    return policy, LearningBatch(observation, action, log_prob, torch.randn(count)), lived


def gradient(rows: int, threads: int) -> Callable[[], float]:
    """Rows a second of one gradient over the whole batch."""
    from mmrl.learn.gradient import accumulate

    policy, batch, _ = _rows(rows)
    config = configured(None, {})

    def work() -> None:
        accumulate(policy, batch, None, config, 0.0, threads)

    work()
    return lambda: rows / seconds_of(work, threads)


def optimiser() -> Callable[[], float]:
    """Steps a second of the optimiser."""
    import torch

    from mmrl.learn.update import make_optimiser

    torch.set_num_threads(1)
    policy, _, _ = _rows(1)
    adam = make_optimiser(policy, configured(None, {}))
    for parameter in policy.parameters():
        parameter.grad = torch.ones_like(parameter)
    return lambda: 1.0 / seconds_of(adam.step)


def whole_pass(rows: int, threads: int) -> Callable[[], float]:
    """Rows a second of one pass as training does it: minibatches, gradients, clipping, steps of the optimiser."""
    policy, batch, _ = _rows(rows)
    work = _pass(policy, batch, threads)
    work()
    return lambda: rows / seconds_of(work, threads)


def _pass(policy: Any, batch: Any, threads: int) -> Callable[[], object]:
    import numpy as np
    import torch

    from mmrl.learn.update import make_optimiser, update

    torch.set_num_threads(1)
    config = configured(None, {"update_freq": 1, "lr": 1e-9})  # so small that the policy stays as it is
    adam, rng = make_optimiser(policy, config), np.random.default_rng(0)
    return lambda: update(policy, adam, batch, config, rng, threads=threads)


def share(rows: int, live: float, way: Way, threads: int) -> Callable[[], float]:
    """Seconds of one pass over a batch of which a share of the rows was lived."""
    import torch

    from mmrl.learn.returns import LearningBatch

    policy, batch, lived = _rows(rows, live)
    work: Callable[[], object]
    if way == "masked":
        work = _masked_pass(policy, batch, lived, threads)
    elif way == "csr":
        at = lived.nonzero()[:, 0]
        packed = (getattr(batch, name)[at] for name in ("observation", "action", "log_prob", "advantage"))
        work = _pass(policy, LearningBatch(*packed), threads)
    else:
        zeroed = torch.where(lived, batch.advantage, 0.0)
        work = _pass(policy, LearningBatch(batch.observation, batch.action, batch.log_prob, zeroed), threads)
    work()
    return lambda: seconds_of(work, threads)


def _masked_pass(policy: Any, batch: Any, lived: Any, threads: int) -> Callable[[], object]:
    import torch

    from mmrl.learn.update import make_optimiser

    torch.set_num_threads(threads)
    config = configured(None, {"lr": 1e-9})
    adam, parts = make_optimiser(policy, config), config.training.minibatches

    def work() -> None:
        for part in torch.randperm(len(lived)).chunk(parts):
            logs, _ = policy.log_prob_entropy(batch.observation[part], batch.action[part])
            ratio, advantage = (logs - batch.log_prob[part]).exp(), batch.advantage[part]
            gain = torch.minimum(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage)
            adam.zero_grad()
            (-torch.masked.mean(gain, mask=lived[part])).backward()
            adam.step()

    return work
