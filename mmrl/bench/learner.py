"""Rows a second of the learner, and what learning from live rows only saves: the path that training uses on a CPU.

"CSR": only live rows are stored and learned from. "dense": all rows, those that were not lived with an advantage of 0,
through the same compiled gradient. "masked": all rows through autograd, the loss a mean by `torch.masked`.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
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
    policy, rng = make_policy(config), np.random.default_rng(0)
    observation = torch.randn(count, len(spec_of(config).columns))
    action, log_prob = policy.sample(observation)
    columns = (column.numpy() for column in (observation, action, log_prob, torch.randn(count)))
    return policy, LearningBatch.of(columns), rng.random(count) < live


def gradient(rows: int, threads: int) -> Callable[[], float]:
    """Rows a second of one gradient over the whole batch."""
    from mmrl.learn.gradient import accumulate

    policy, batch, _ = _rows(rows)
    config, team = configured(None, {}), _team(threads)

    def work() -> None:
        accumulate(policy, batch, None, config, 0.0, **team)

    work()
    return lambda: rows / seconds_of(work, threads)


def optimiser() -> Callable[[], float]:
    """Steps a second of the optimiser."""
    import numpy as np

    from mmrl.learn.update import make_optimiser

    policy, _, _ = _rows(1)
    adam = make_optimiser(policy, configured(None, {}))
    gradient = np.ones_like(policy.numbers)
    return lambda: 1.0 / seconds_of(lambda: adam.step(policy.numbers, gradient))


def whole_pass(rows: int, threads: int) -> Callable[[], float]:
    """Rows a second of one pass as training does it: minibatches, gradients, clipping, steps of the optimiser."""
    policy, batch, _ = _rows(rows)
    work = _pass(policy, batch, threads)
    work()
    return lambda: rows / seconds_of(work, threads)


def _pass(policy: Any, batch: Any, threads: int) -> Callable[[], object]:
    import numpy as np

    from mmrl.learn.update import make_optimiser, update

    config = configured(None, {"update_freq": 1, "lr": 1e-9})  # so small that the policy stays as it is
    adam, rng = make_optimiser(policy, config), np.random.default_rng(0)
    team = _team(threads)
    return lambda: update(policy, adam, batch, config, rng, **team)


def _team(threads: int) -> dict[str, Any]:
    """The argument that says on how many threads to learn; an earlier commit, measured beside, knows their number."""
    with suppress(ImportError):
        from mmrl.learn.team import Team

        return {"team": Team(threads)}
    return {"threads": threads}


def share(rows: int, live: float, way: Way, threads: int) -> Callable[[], float]:
    """Seconds of one pass over a batch of which a share of the rows was lived."""
    import numpy as np

    from mmrl.learn.returns import LearningBatch

    policy, batch, lived = _rows(rows, live)
    work: Callable[[], object]
    if way == "masked":
        work = _masked_pass(policy, batch, lived, threads)
    elif way == "csr":
        work = _pass(policy, LearningBatch.of(column[lived] for column in batch.rows), threads)
    else:
        zeroed = np.where(lived, batch.advantage, np.float32(0.0))
        work = _pass(policy, LearningBatch(batch.observation, batch.action, batch.log_prob, zeroed), threads)
    work()
    return lambda: seconds_of(work, threads)


def _masked_pass(policy: Any, batch: Any, lived: Any, threads: int) -> Callable[[], object]:
    import torch

    from mmrl.learn.tensor_policy import log_prob_entropy

    torch.set_num_threads(threads)
    config = configured(None, {})
    numbers = torch.from_numpy(policy.numbers).clone().requires_grad_()
    adam, parts = torch.optim.Adam([numbers], lr=1e-9), config.training.minibatches
    observation, action, old, gained, live = map(torch.from_numpy, (*batch.rows, lived))

    def work() -> None:
        for part in torch.randperm(len(live)).chunk(parts):
            logs, _ = log_prob_entropy(policy, observation[part], action[part], numbers)
            ratio, advantage = (logs - old[part]).exp(), gained[part]
            gain = torch.minimum(ratio * advantage, ratio.clamp(1 - CLIP, 1 + CLIP) * advantage)
            adam.zero_grad()
            (-torch.masked.mean(gain, mask=live[part])).backward()
            adam.step()

    return work
