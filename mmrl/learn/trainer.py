"""The loop: roll out, compute returns, update, one Epoch at a time. Knows nothing of terminals and folders."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmrl.learn.gradient import accumulate, prepare
from mmrl.learn.mirror import with_mirror_image
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.learn.policy import make_policy
from mmrl.learn.record import batch_record
from mmrl.learn.returns import learning_batch
from mmrl.learn.schedule import Schedule
from mmrl.learn.team import Team
from mmrl.learn.update import Gradient, make_optimiser, update
from mmrl.learn.value import ValueFunction
from mmrl.markets.contract import spec_of
from mmrl.rollout.engines import make_engine
from mmrl.rollout.streams import capture, generator, restore, stream_seed
from mmrl.rollout.threads import beside, thread_count
from mmrl.rollout.trajectories import Trajectories
from mmrl.rollout.weights import PolicyWeights
from mmrl.runs.memory import WARM_UP
from mmrl.settings.errors import note
from mmrl.settings.model import Config
from mmrl.statistics.attempts import Attempts

NORMALISER_EPOCHS = 20  # how many epochs of rows the observation statistics remember


@contextmanager
def one_torch_thread(used: bool = True) -> Iterator[None]:
    """One thread for torch's own operations, where it is used: barriers between threads cost more than such small
    networks gain."""
    if not used:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Epoch:
    """One finished epoch: its number (from 1), its record for metrics.jsonl, the batch it learned from and by whom.

    On CUDA the columns of the batch are tensors there: copying them to the host takes longer than to learn from them.
    """

    number: int
    record: dict[str, Any]
    batch: Trajectories
    weights: PolicyWeights  # of the policy that played the batch


class Trainer:
    """Everything that learning changes: policy, value function, optimiser, statistics, random state, epoch count."""

    processes = 1
    """That share the rollouts and gradients."""

    def __init__(self, config: Config, attempts: Attempts | None = None) -> None:
        """`attempts` computes what only informs of an epoch; by itself it notes on stderr what is missing."""
        self.config = config
        self.attempts = attempts or Attempts(note)
        self.engine = make_engine(config)
        self.device = self.engine.device
        self.threads = thread_count(config.run.threads)
        self.gradient: Gradient = accumulate
        self.team = Team(self.threads)
        seed = config.run.seed
        observations = len(spec_of(config).columns)
        t = config.training
        self.policy = make_policy(config, stream_seed(seed, "policy")).to(self.device)
        self.value = None if t.noadv else ValueFunction(observations, generator(seed, "value"), self.device)
        self.optimiser = make_optimiser(self.policy, config)
        self.minibatch_rng = generator(seed, "minibatch")
        rows = float(NORMALISER_EPOCHS * t.nb * config.market.nt)
        self.normaliser = RunningNormaliser(observations, horizon=rows)
        self.schedule = Schedule(t.ne, t.lr_end)
        self.epoch = 0
        self.seconds_compiling = self.engine.prepare() + prepare(self.policy, config, self.device)
        self._warm_up()

    def _warm_up(self) -> None:
        """Learn the scale of the observations from a few untrained trajectories, so that the first epoch is sound.

        They are drawn as epoch 0, which no training epoch uses.
        """
        # So wide a scale that nothing is clipped: normalised times scale gives back the raw observation.
        wide = RunningNormaliser(self.normaliser.mean.size)
        wide.var = wide.var * 1e12
        batch = self._rollout(0, wide, WARM_UP)
        self.normaliser.update(wide.raw(batch.numpy().observation))

    def rollout(self, epoch: int) -> Trajectories:
        """The batch of an epoch under the present policy; learns nothing."""
        return self._rollout(epoch, self.normaliser, self.config.training.nb)

    def _rollout_beside(self, task: Callable[[], None], epoch: int) -> Trajectories:
        if self.engine.name != "compiled":
            task()
            return self.rollout(epoch)
        with beside(task):
            return self.rollout(epoch)

    def _rollout(self, epoch: int, normaliser: RunningNormaliser, count: int) -> Trajectories:
        seed = stream_seed(self.config.run.seed, "market")
        with one_torch_thread(self.by_torch):
            return self.engine.rollout(self.policy, normaliser, seed=seed, epoch=epoch, count=count)

    def set_live(self, **values: float) -> dict[str, float]:
        """Change what may be changed while training, `lr`, `entropy`, `ne`; returns those that were different."""
        changed = {name: value for name, value in values.items() if getattr(self.config.training, name) != value}
        training = self.config.training.model_copy(update=changed)
        self.config = self.config.model_copy(update={"training": training})
        self._set_rates()
        return changed

    def _set_rates(self) -> float:
        """The learning rate of the next epoch."""
        training = self.config.training
        self.schedule = self.schedule.towards(training.ne, training.lr_end, self.epoch)
        rate = training.lr * self.schedule.at(self.epoch)
        self.optimiser.rate = rate
        return rate

    @property
    def rates(self) -> tuple[float, float]:
        """Learning rates of the last epoch learned (of the first one, before it) and of the last one of the run."""
        training = self.config.training
        schedule = self.schedule.towards(training.ne, training.lr_end, self.epoch)
        return training.lr * schedule.at(max(self.epoch - 1, 0)), training.lr * schedule.at(training.ne - 1)

    def run(self, target: int) -> Iterator[Epoch]:
        """Train until epoch `target`, yielding each finished Epoch. Raises Diverged before a bad update."""
        while self.epoch < target:
            yield self.step()

    def step(self, task: Callable[[], None] = lambda: None) -> Epoch:
        """Roll out one batch, learn from it, and say what happened. A task is done once, before anything is learned: by
        a thread of the rollout before its share, or first where there is none to spare; raises what that raises."""
        number = self.epoch + 1
        rate = self._set_rates()
        weights = self.policy.weights(self.normaliser)
        began = time.perf_counter()
        batch = self._rollout_beside(task, number)
        rolled = time.perf_counter()
        batch.require_live()
        # what is not finite is found where it counts, and named there
        with one_torch_thread(self.by_torch), np.errstate(all="ignore"):
            learning = learning_batch(batch, self.config, self.value, self.device, self.threads)
            learning = with_mirror_image(learning, self.config, self.normaliser)
            stats = update(
                self.policy,
                self.optimiser,
                learning,
                self.config,
                self.minibatch_rng,
                team=self.team,
                gradient=self.gradient,
            )
        batch = batch if self.device == "cuda" else batch.numpy()
        self.normaliser.update_normalised(batch.observation)
        self.epoch = number
        updated = time.perf_counter()
        record = {
            "epoch": number,
            **self.attempts.get("figures of the batch", lambda: batch_record(batch), {}),
            **stats.record(),
            "learning_rate": rate,
            "seconds_rollout": rolled - began,
            "seconds_update": updated - rolled,
            "steps_per_second": batch.nnz / (updated - began),
        }
        return Epoch(number, record, batch, weights)

    @property
    def by_torch(self) -> bool:
        """Whether the engine or the learner works by torch."""
        return self.engine.name != "compiled"

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed run needs to go on bit for bit: tensors and plain JSON values."""
        return {
            "policy": self.policy.state_dict(),
            "value": {} if self.value is None else self.value.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "normaliser": self.normaliser.state_dict(),
            "minibatch_rng": capture(self.minibatch_rng),
            "schedule": self.schedule.state_dict(),
            "epoch": self.epoch,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what state_dict() gave.

        An earlier version learned a network in place of the value function: the next batch fits a new one. Its policy
        had no linear map of the inputs, which then starts from zeros.
        """
        earlier = "return_scale" in state
        self.policy.restore(state["policy"])
        if self.value is not None and not earlier:
            self.value.load_state_dict(state["value"])
        known = len(state["policy"])  # of the optimiser's, which once had the network of the value function too
        self.optimiser.load_state_dict(
            {name: held[:known] if isinstance(held, list) else held for name, held in state["optimiser"].items()}
        )
        self.normaliser.load_state_dict(state["normaliser"])
        restore(self.minibatch_rng, state["minibatch_rng"])
        if "schedule" in state:  # an earlier version began the line anew
            self.schedule = Schedule(**state["schedule"])
        self.epoch = int(state["epoch"])
