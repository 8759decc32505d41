"""`mmrl.train()`: a training as an iterator of its epochs."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrl.policy.frozen import Frozen
from mmrl.policy.policy import Policy
from mmrl.settings.errors import ConfigError, brief, note
from mmrl.settings.files import path_of
from mmrl.settings.keywords import from_python
from mmrl.settings.model import Config, require_config

if TYPE_CHECKING:
    from mmrl.runs.lock import RunLock


@dataclass(frozen=True)
class Epoch(Mapping[str, Any]):
    """One finished epoch: its number (from 1) and its record, whose keys docs/metrics.md explains.

    `epoch["value_mean"]` is a figure of the record.
    """

    number: int
    record: dict[str, Any]
    make: Any = field(repr=False)
    """Makes the policy after this epoch."""

    @property
    def policy(self) -> Policy:
        """The policy after this epoch."""
        made: Policy = self.make()
        return made

    def __getitem__(self, name: str) -> Any:
        return self.record[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.record)

    def __len__(self) -> int:
        return len(self.record)


def train(config: Config | None = None, *, results: str | os.PathLike[str] | None = None) -> Iterator[Epoch]:
    """Train, and yield every finished epoch; no terminal is needed, and no file is written.

    With `results` the run is kept in that folder as `mmrl train` keeps it, for `mmrl tui`, `mmrl.load` and the rest; an
    unfinished run of the same settings is resumed, and to leave the loop early stops it with a checkpoint. Raises
    ConfigError before anything is created, also where the folder cannot be written, `mmrl.learn.update.Diverged` where
    numbers become useless.
    """
    wanted = Config() if config is None else config
    require_config(wanted, "train")
    if results is not None:
        return _in_folder(wanted, path_of(results, "results"))
    chosen = wanted.run.results
    if chosen != type(wanted.run)().results:
        note(f"results = {brief(chosen)} of the settings keeps no run: train(config, results=...) does")
    return _in_memory(wanted)


def _in_memory(config: Config) -> Iterator[Epoch]:
    from mmrl.evaluate.grade import Grader
    from mmrl.learn.trainer import Trainer
    from mmrl.runs.memory import require
    from mmrl.training.compiling import compile_first
    from mmrl.training.start import check_engine

    with from_python():
        require(config)
        check_engine(config)
    compile_first(config, note)
    trainer, grader = Trainer(config), Grader(config)
    for epoch in trainer.run(config.training.ne):
        grade = grader.grade(trainer.policy, trainer.normaliser)
        frozen = _frozen(config, trainer.policy.weights(trainer.normaliser), epoch.number)
        yield Epoch(epoch.number, {**epoch.record, **grade.record()}, lambda frozen=frozen: Policy(frozen, config))


def _frozen(config: Config, weights: Any, number: int, run: str = "") -> Frozen:
    from mmrl.markets.contract import spec_of

    spec = spec_of(config)
    return Frozen(
        kind=config.policy.kind,
        layers=tuple(weights.layers),
        skip=weights.skip,
        mean=weights.obs_mean,
        std=weights.obs_std,
        columns=spec.columns,
        axes=spec.axes,
        fading=spec.fading,
        market=config.market.name,
        run=run,
        epoch=number,
    )


class _Listener:
    """A view that hands each epoch over and waits until the next one is wanted."""

    instant = False

    def __init__(self, cancelled: threading.Event) -> None:
        self.epochs: queue.Queue[tuple[dict[str, Any], Frozen]] = queue.Queue()
        self.trainer_of: Callable[[], Any] = lambda: None
        self.wanted = threading.Semaphore(0)
        self.folder = Path()
        self.cancelled, self.ended = cancelled, False

    def __enter__(self) -> _Listener:
        return self

    def __exit__(self, *exc: Any) -> None: ...

    def start(self, config: Config, folder: Path, target: int) -> None:
        self.folder = folder

    def past(self, records: list[dict[str, Any]]) -> None: ...

    def epoch(self, record: dict[str, Any]) -> None:
        trainer = self.trainer_of()
        weights = trainer.policy.weights(trainer.normaliser)
        frozen = _frozen(trainer.config, weights, int(record["epoch"]), self.folder.name)
        self.epochs.put((record, frozen))
        while not self.cancelled.is_set() and not self.wanted.acquire(timeout=0.1):
            pass

    def note(self, text: str, lasting: bool = False) -> None:
        if not self.ended:  # then come commands for a shell
            note(text)

    def finish(self, summary: dict[str, Any]) -> None:
        self.ended = True


def _in_folder(config: Config, results: str) -> Iterator[Epoch]:
    """Train in a thread, in a run folder; the loop over the epochs sets the pace."""
    from mmrl.runs.memory import require
    from mmrl.settings.sources import replaced
    from mmrl.training.loop import TrainingProcess
    from mmrl.training.signals import Interruption
    from mmrl.training.start import check_engine

    config = replaced(config, {"run.results": results})
    with from_python():
        require(config)
        check_engine(config)
    lock, config = _locked(config)
    with lock:
        cancelled, interruption, ended = threading.Event(), Interruption(), threading.Event()
        listener, outcome = _Listener(cancelled), list[int]()
        process = TrainingProcess(config, {}, lock.folder, listener, interruption)
        listener.trainer_of = lambda: process.trainer

        def work() -> None:
            try:
                outcome.append(process.work())
            finally:
                ended.set()

        thread = threading.Thread(target=work, name="training", daemon=True)
        thread.start()
        try:
            while True:
                try:
                    record, frozen = listener.epochs.get(timeout=0.1)
                except queue.Empty:
                    if ended.is_set() and listener.epochs.empty():
                        break
                    continue
                yield Epoch(frozen.epoch, record, lambda frozen=frozen: Policy(frozen, config))
                listener.wanted.release()
        finally:
            interruption.signal = interruption.signal or 2  # as Ctrl-C: the epoch is finished and kept
            cancelled.set()
            thread.join()
    if not outcome or outcome[0]:
        raise _failure(lock.folder, outcome)


def _locked(config: Config) -> tuple[RunLock, Config]:
    """The folder of the unfinished run of these settings, or of a new one, locked, and its settings as they are now.

    Raises ConfigError, RunBusy.
    """
    from mmrl.runs import config_file, store
    from mmrl.runs.atomic import refused
    from mmrl.runs.lock import RunLock

    try:
        with from_python():
            folder = store.matching(config)
            if folder is None:
                return store.begin(config, {}), config
            return RunLock(folder).take(), config_file.kept_edits(config_file.read_config(folder), config)
    except OSError as error:
        raise ConfigError(refused(error)) from None


def _failure(folder: Path, outcome: list[int]) -> Exception:
    """The error with which a training ended; its reason stands in the status of the run."""
    from mmrl.learn.update import Diverged
    from mmrl.runs.status import read_raw
    from mmrl.training.loop import EXIT_DIVERGED

    reason = str(read_raw(folder).get("error") or "the training ended with an error")
    return (Diverged if outcome == [EXIT_DIVERGED] else RuntimeError)(reason)
