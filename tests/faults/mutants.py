"""Deliberate mistakes, switched on in a forked child: a check that does not catch its mutant proves nothing."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any


def _durable_write(replacement: Any) -> None:
    from mmrl.runs import atomic, commit, control, episodes, history, manifest, status, store

    for module in (atomic, commit, control, episodes, history, manifest, status, store):
        if hasattr(module, "durable_write"):
            module.durable_write = replacement  # type: ignore[attr-defined]


def naive_save() -> None:
    """Write files in place."""

    def write(path: Path, data: bytes) -> None:
        path.write_bytes(data)

    _durable_write(write)


def no_sync() -> None:
    """Rename without having synced."""
    import os

    def write(path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_bytes(data)
        os.replace(temporary, path)

    _durable_write(write)


def far_temporary() -> None:
    """Write to the temporary folder of the machine, then move."""
    import shutil
    import tempfile

    def write(path: Path, data: bytes) -> None:
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(data)
        shutil.move(file.name, path)

    _durable_write(write)


def careless() -> None:
    """Swallow every error of the disk and say that it is saved."""
    from mmrl.runs import atomic

    real = atomic.durable_write

    def write(path: Path, data: bytes) -> None:
        with contextlib.suppress(OSError):
            real(path, data)

    _durable_write(write)


def no_lock() -> None:
    """Let everyone in."""
    from mmrl.runs.lock import RunLock

    RunLock._taken = lambda self: True  # type: ignore[method-assign]


def no_random_state() -> None:
    """Resume without the minibatch stream."""
    from mmrl.learn import trainer

    trainer.restore = lambda rng, state: None  # type: ignore[attr-defined]


def no_finite_check() -> None:
    """Learn on, whatever the numbers are."""
    from mmrl.learn import update

    update._check_finite = lambda tensors: None  # type: ignore[attr-defined]


def _poisoned(poison: Any) -> None:
    """Let `poison(trainer, batch)` spoil the third epoch, and note every step of the optimiser from then on."""
    from mmrl.learn.trainer import Trainer

    rollout = Trainer.rollout

    def spoiled(self: Any, epoch: int) -> Any:
        batch = rollout(self, epoch)
        if epoch == 3:
            poison(self, batch)
            step = self.optimiser.step

            def noted(*arguments: Any) -> Any:
                print("OPTIMISER STEPPED", flush=True)
                return step(*arguments)

            self.optimiser.step = noted
        return batch

    Trainer.rollout = spoiled  # type: ignore[method-assign]


def nan_weight() -> None:
    """A parameter of the policy is no number."""

    def poison(trainer: Any, batch: Any) -> None:
        next(trainer.policy.parameters()).data.view(-1)[0] = float("nan")

    _poisoned(poison)


def nan_value_weight() -> None:
    """A parameter of the value network is no number."""

    def poison(trainer: Any, batch: Any) -> None:
        next(trainer.value.parameters()).data.view(-1)[0] = float("inf")

    _poisoned(poison)


def exploding_reward() -> None:
    """Rewards whose sum no float holds."""
    _poisoned(lambda trainer, batch: batch.reward.__imul__(1e308))


def nan_reward() -> None:
    """One reward is no number."""
    _poisoned(lambda trainer, batch: batch.reward.__setitem__(0, float("nan")))


def impossible_action() -> None:
    """The log probability of an action is minus infinity."""
    _poisoned(lambda trainer, batch: batch.log_prob.__setitem__(0, float("-inf")))


def nan_weight_unchecked() -> None:
    """The mutant: the same without the check."""
    no_finite_check()
    from mmrl.learn import update

    update.np.isfinite = lambda number: True  # type: ignore[attr-defined]
    nan_weight()


def clock_set_back() -> None:
    """A wall clock that goes backwards."""
    import time

    now = [2e9]

    def earlier() -> float:
        now[0] -= 1000.0
        return now[0]

    time.time = earlier
