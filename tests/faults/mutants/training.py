"""Mistakes in training: state forgotten, seeds that are none, signals unheard, locks left open, ids that clash."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any


def no_lock() -> None:
    """Let everyone in."""
    from mmrl.runs.lock import RunLock

    RunLock._taken = lambda self: True  # type: ignore[method-assign]


def lock_kept_by_workers() -> None:
    """A forked worker keeps the trainer's lock, and one is forked in the third epoch."""
    from mmrl.runs import lock

    class Forgetful(list[Any]):
        def add(self, item: object) -> None:
            pass

    lock._ALL = Forgetful()  # type: ignore[assignment]
    forked_worker()


def forked_worker() -> None:
    """The third epoch forks a worker that outlives everything."""
    import os
    import time

    from mmrl.learn.trainer import Trainer

    rollout = Trainer.rollout

    def forking(self: Any, epoch: int) -> Any:
        if epoch == 3:
            pid = os.fork()
            if pid == 0:
                time.sleep(300)
                os._exit(0)
            print(f"\nWORKER {pid}\n", flush=True)
        return rollout(self, epoch)

    Trainer.rollout = forking  # type: ignore[method-assign]


def no_random_state() -> None:
    """Resume without the minibatch stream."""
    from mmrl.learn import trainer

    trainer.restore = lambda rng, state: None  # type: ignore[attr-defined]


def _forgotten(part: str) -> None:
    """Resume without one part of the trainer's state."""
    from mmrl.learn.trainer import Trainer

    load = Trainer.load_state_dict

    def partial(self: Any, state: dict[str, Any]) -> None:
        fresh = self.state_dict()
        load(self, {**state, part: fresh[part]})

    Trainer.load_state_dict = partial  # type: ignore[method-assign]


def no_optimiser_state() -> None:
    """Resume with an optimiser that remembers nothing."""
    _forgotten("optimiser")


def no_normaliser_state() -> None:
    """Resume with the observation statistics of a new run."""
    _forgotten("normaliser")


def no_value_function() -> None:
    """Resume with the value function of a new run."""
    _forgotten("value")


def unseeded() -> None:
    """Seeds that are not the run's."""
    import os

    from mmrl.learn import trainer

    trainer.stream_seed = lambda seed, stream: int.from_bytes(os.urandom(7))  # type: ignore[attr-defined, assignment]


def hash_seeded() -> None:
    """Seeds by Python's hash of a text, which differs from process to process."""
    from mmrl.learn import trainer

    trainer.stream_seed = lambda seed, stream: abs(hash(f"{seed} {stream}"))  # type: ignore[attr-defined, assignment]


def versions_untold() -> None:
    """Say nothing of another thread count or version."""
    from mmrl.training.loop import TrainingProcess

    TrainingProcess._compare_versions = lambda self, versions: None  # type: ignore[method-assign]


def deaf() -> None:
    """Leave signals to Python and the system."""
    from mmrl.training.signals import Interruption

    Interruption.installed = lambda self: contextlib.nullcontext(self)  # type: ignore[method-assign, assignment, return-value]


def long_epochs() -> None:
    """From the second epoch on each spends many seconds in compiled code, where Python handles no signal."""
    import hashlib

    from mmrl.learn.trainer import Trainer

    rollout = Trainer.rollout

    def slow(self: Any, epoch: int) -> Any:
        if epoch > 1:
            print("IN COMPILED CODE", flush=True)
            hashlib.pbkdf2_hmac("sha256", b"", b"", 60_000_000)
        return rollout(self, epoch)

    Trainer.rollout = slow  # type: ignore[method-assign]


def patient() -> None:
    """Wait for the epoch to end, whatever signals come; and epochs are long."""
    from mmrl.training.signals import Interruption

    Interruption._watch = lambda self, reading: None  # type: ignore[method-assign]
    long_epochs()


def ids_by_the_second() -> None:
    """Tell runs apart by the time of day, coarsely."""
    import time

    from mmrl.runs import store
    from mmrl.runs.config_file import write_config as write

    def dated(folder: Path, config: Any, origins: Any, meta: Any) -> None:
        write(folder, config, origins, {**meta, "id": f"{int(time.time()) // 10**6:032x}"})

    vars(store)["write_config"] = dated


def clock_set_back() -> None:
    """A wall clock that goes backwards."""
    import time

    now = [2e9]

    def earlier() -> float:
        now[0] -= 1000.0
        return now[0]

    time.time = earlier


def no_grade() -> None:
    """No policy can be graded."""
    from mmrl.evaluate.grade import Grader

    def fails(self: Any, policy: Any, normaliser: Any) -> Any:
        raise ZeroDivisionError("float division by zero")

    Grader.grade = fails  # type: ignore[method-assign]


def no_grade_no_run() -> None:
    """The same, and what only informs ends the training."""
    from mmrl.statistics.attempts import Attempts

    no_grade()
    Attempts.get = lambda self, what, compute, instead: compute()  # type: ignore[method-assign, assignment]
