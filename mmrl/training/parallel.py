"""One training by several processes, started by torchrun: rank 0 trains, the others help it.

Rank 0 has the run, the networks' optimiser, the value function and all statistics, and works as a training alone does.
Of each epoch the others simulate a share of the trajectories: a trajectory's random numbers follow from (seed, epoch,
index), so the batch is the same, to the last bit, for any number of processes, and so is all that is computed from the
whole batch. Of each step's gradient every rank sums its rows; the sums are reduced to rank 0, which moves the policy
and sends it on. The helpers keep nothing from one epoch to the next: any number of them can go on with a run.

What lies on a host goes by gloo, what lies on a GPU by NCCL; each process sees one GPU.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import timedelta

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from mmrl.kernels.account import FLOWS
from mmrl.learn.gradient import STATISTICS, accumulate
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.learn.policy import Policy, make_policy
from mmrl.learn.returns import LearningBatch
from mmrl.learn.team import Team
from mmrl.learn.tensor_policy import tensor
from mmrl.learn.trainer import Trainer
from mmrl.markets.contract import spec_of
from mmrl.rollout.arrays import Column, beside, placed
from mmrl.rollout.engines import Engine, make_engine
from mmrl.rollout.streams import stream_seed
from mmrl.rollout.trajectories import PER_TRAJECTORY, Trajectories
from mmrl.runs.machine import cpus
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config
from mmrl.settings.sources import dump_toml, load_toml
from mmrl.statistics.attempts import Attempts
from mmrl.training.ranks import ranks

END, BEGIN, ROLL, ROWS, GRADIENT = range(5)
FOREVER = timedelta(days=365)
"""A paused run waits; that a rank has died is known from its closed connections."""


class RankLost(ConnectionError):
    """Another process of the training has ended."""


@contextmanager
def told() -> Iterator[None]:
    """Turn what torch raises when a connection closes into one line."""
    try:
        yield
    except RuntimeError as error:
        if not any(word in str(error) for word in ("onnection", "eer", "NCCL")):
            raise
        raise RankLost("another process of this training has ended: the same command goes on with the run") from None


def join() -> None:
    """Meet the other processes."""
    with told():
        dist.init_process_group(backend(), timeout=FOREVER)


def backend() -> str:
    """By what tensors of each kind of device are sent."""
    return "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"


def leave() -> None:
    """Rank 0 lets the others go, if they are there."""
    if dist.is_available() and dist.is_initialized():
        with _suppressed():
            _tell(END)
        _close()


def _close() -> None:
    """End gloo's threads: those that live when Python ends may abort the process."""
    if dist.is_initialized():
        dist.destroy_process_group()


@contextmanager
def _suppressed() -> Iterator[None]:
    try:
        yield
    except (RankLost, RuntimeError):
        return


def check(config: Config) -> None:
    """Raise ConfigError for a training that cannot be shared between processes."""
    from mmrl.rollout.devices import resolve

    count = ranks()
    if resolve(config)[0] == "tensor":
        raise ConfigError("torchrun needs the compiled or the cuda engine: add --engine compiled --device cpu")
    if config.training.nb < count:
        raise ConfigError(f"training.nb = {config.training.nb} is below the {count} processes of torchrun: raise it")


def threads_of(config: Config) -> int:
    """Threads of one process, which shares its machine with others."""
    return config.run.threads or max(cpus() // int(os.environ.get("LOCAL_WORLD_SIZE", "1")), 1)


def share(count: int, of: int, number: int) -> tuple[int, int]:
    """First and last + 1 of the part of `count` things that the process `number` of so many has."""
    return count * number // of, count * (number + 1) // of


class ParallelTrainer(Trainer):
    """The trainer of rank 0."""

    def __init__(self, config: Config, attempts: Attempts | None = None) -> None:
        super().__init__(config, attempts)
        self.processes = dist.get_world_size()
        self.threads = self.engine.threads = threads_of(config)
        self.team = Team(self.threads)
        self.gradient = self._gradient
        self._sent: LearningBatch | None = None
        text = np.frombuffer(dump_toml(config).encode(), np.uint8).copy()
        _tell(BEGIN, len(text))
        _broadcast(torch.from_numpy(text))

    def _rollout(self, epoch: int, normaliser: RunningNormaliser, count: int) -> Trajectories:
        if epoch == 0:  # a few trajectories, before the others begin
            return super()._rollout(epoch, normaliser, count)
        _tell(ROLL, epoch, count)
        _broadcast(tensor(self.policy.numbers), torch.from_numpy(normaliser.mean), torch.from_numpy(normaliser.var))
        own = _simulated(self.engine, self.config, self.policy, normaliser, epoch, count)
        parts = [_columns(own)]
        parts += [_received(parts[0], number) for number in range(1, self.processes)]
        self._sent = None
        return _joined(parts)

    def _gradient(
        self,
        policy: Policy,
        batch: LearningBatch,
        part: Column | None,
        config: Config,
        coefficient: float,
        team: Team,
    ) -> list[float]:
        rows = len(batch.log_prob)
        if batch is not self._sent:
            self._scatter(batch, rows)
        indices = torch.empty(0, dtype=torch.int64, device=self.device) if part is None else tensor(part)
        _tell(GRADIENT, rows if part is None else len(part), part is not None, _bits(coefficient))
        _broadcast(tensor(policy.numbers), indices)
        sums = _summed(policy, self._own, part, 0, config, coefficient, team)
        with told():
            dist.reduce(sums, 0)
        means = sums / (rows if part is None else len(part))
        policy.gradient = beside(means[: -len(STATISTICS)].float(), policy.numbers)
        return means[-len(STATISTICS) :].tolist()

    def _scatter(self, batch: LearningBatch, rows: int) -> None:
        """Send each process the rows whose gradients it sums in this epoch."""
        _tell(ROWS, rows)
        for number in range(1, self.processes):
            first, last = share(rows, self.processes, number)
            for column in batch.rows:
                with told():
                    dist.send(tensor(column[first:last]).contiguous(), number)
        self._sent, self._own = batch, batch_rows(batch, *share(rows, self.processes, 0))


def help_out() -> None:
    """What every rank but 0 does: as it is told, until it is told to end or rank 0 is gone."""
    try:
        _help()
    except RankLost:  # rank 0 says what happened, if it lives
        raise SystemExit(1) from None
    finally:
        _close()


def _help() -> None:
    join()  # until then torchrun may end this process: rank 0 may refuse what it was asked for
    for number in (signal.SIGINT, signal.SIGTERM):  # from now on rank 0 decides when the training ends
        signal.signal(number, signal.SIG_IGN)
    helper = None
    while True:
        order = torch.zeros(4, dtype=torch.int64)
        _broadcast(order)
        what, *facts = order.tolist()
        if what == END:
            return
        if what == BEGIN:
            text = torch.zeros(facts[0], dtype=torch.uint8)
            _broadcast(text)
            helper = _Helper(load_toml(text.numpy().tobytes().decode()).config)
        elif helper is not None:
            (helper.roll, helper.rows, helper.gradient)[what - ROLL](*facts)


class _Helper:
    """The state of a rank that helps, within one epoch."""

    def __init__(self, config: Config) -> None:
        self.config, self.engine = config, make_engine(config)
        self.device = self.engine.device
        self.policy = make_policy(config).to(self.device)
        self.own, self.of = dist.get_rank(), dist.get_world_size()
        self.engine.threads = threads_of(config)
        self.team = Team(self.engine.threads)
        self.normaliser = RunningNormaliser(len(spec_of(config).columns))

    def roll(self, epoch: int, count: int, *_: int) -> None:
        """Simulate a share of an epoch and send it to rank 0."""
        statistics = (torch.from_numpy(array) for array in (self.normaliser.mean, self.normaliser.var))
        _broadcast(tensor(self.policy.numbers), *statistics)
        batch = _simulated(self.engine, self.config, self.policy, self.normaliser, epoch, count)
        columns = _columns(batch)
        sizes = torch.tensor([batch.count, batch.nnz])
        with told():
            dist.send(sizes, 0)
            for column in columns.values():
                if column.size:
                    dist.send(_sendable(np.ascontiguousarray(column)), 0)

    def rows(self, count: int, *_: int) -> None:
        """Take the rows whose gradients this rank sums."""
        spec = spec_of(self.config)
        self.first, last = share(count, self.of, self.own)
        size = last - self.first
        shapes = ((size, len(spec.columns)), (size, len(spec.axes)), (size,), (size,))
        found = [torch.zeros(shape, device=self.device) for shape in shapes]
        with told():
            for column in found:
                dist.recv(column, 0)
        self.batch = LearningBatch.of(placed(column, self.device) for column in found)

    def gradient(self, size: int, chosen: int, bits: int) -> None:
        """Sum the gradients of some of its rows."""
        indices = torch.zeros(size if chosen else 0, dtype=torch.int64, device=self.device)
        _broadcast(tensor(self.policy.numbers), indices)
        part = placed(indices, self.device) if chosen else None
        sums = _summed(self.policy, self.batch, part, self.first, self.config, _number(bits), self.team)
        with told():
            dist.reduce(sums, 0)


def _tell(what: int, *facts: int) -> None:
    _broadcast(torch.tensor([what, *facts, *[0] * (3 - len(facts))], dtype=torch.int64))


def _broadcast(*tensors: Tensor) -> None:
    with told():
        for tensor in tensors:
            dist.broadcast(tensor, 0)


def _bits(number: float) -> int:
    return int(np.float64(number).view(np.int64))


def _number(bits: int) -> float:
    return float(np.int64(bits).view(np.float64))


def _summed(
    policy: Policy,
    own: LearningBatch,
    part: Column | None,
    first: int,
    config: Config,
    coefficient: float,
    team: Team,
) -> Tensor:
    """Sums over those rows of a minibatch that are this rank's: gradient, then STATISTICS, float64.

    `part` counts the rows of the whole batch, of which the rank's begin at `first`; None: all.
    """
    size = len(own.log_prob)
    if part is not None:
        part = part[(part >= first) & (part < first + size)] - first
        size = len(part)
    numbers = tensor(policy.numbers)
    if not size:
        return torch.zeros(len(numbers) + len(STATISTICS), dtype=torch.float64, device=numbers.device)
    means = accumulate(policy, own, part, config, coefficient, team)
    found = tensor(policy.gradient).double()
    return torch.cat([found, torch.tensor(means, dtype=torch.float64, device=found.device)]) * size


def batch_rows(batch: LearningBatch, first: int, last: int) -> LearningBatch:
    """Some rows of a batch."""
    return LearningBatch.of(column[first:last] for column in batch.rows)


def _simulated(
    engine: Engine, config: Config, policy: Policy, normaliser: RunningNormaliser, epoch: int, count: int
) -> Trajectories:
    """This rank's share of an epoch, on the host."""
    first, last = share(count, dist.get_world_size(), dist.get_rank())
    seed = stream_seed(config.run.seed, "market")
    return engine.rollout(policy, normaliser, seed=seed, epoch=epoch, count=last - first, first=first).numpy()


def _columns(batch: Trajectories) -> dict[str, np.ndarray]:
    """The arrays of a batch by name, lengths in place of offsets."""
    named = {each.name: getattr(batch, each.name) for each in fields(batch)}
    found = {name: array for name, array in named.items() if array is not None and name not in ("offsets", "live")}
    return {"lengths": np.diff(batch.offsets), **found}


def _received(like: dict[str, np.ndarray], source: int) -> dict[str, np.ndarray]:
    """The arrays that another rank sends: the same names, kinds and widths, other lengths."""
    sizes = torch.zeros(2, dtype=torch.int64)
    found = {}
    with told():
        dist.recv(sizes, source)
        trajectories, rows = sizes.tolist()
        for name, own in like.items():
            each = name in (*PER_TRAJECTORY, "lengths", "split")
            length = trajectories if each else 0 if name in FLOWS else rows
            array = found[name] = np.zeros((length, *own.shape[1:]), own.dtype)
            if array.size:
                dist.recv(_sendable(array), source)
    return found


def _sendable(array: np.ndarray) -> Tensor:
    """The memory of an array as a tensor of a kind that gloo knows."""
    return torch.from_numpy(array.view(np.uint8) if array.dtype == np.bool_ else array)


def _joined(parts: list[dict[str, np.ndarray]]) -> Trajectories:
    whole = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    offsets = np.concatenate([[0], np.cumsum(whole.pop("lengths"))])
    return Trajectories(offsets=offsets.astype(np.int64), **whole)
