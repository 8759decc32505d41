"""The study of a sweep: its trials in a journal that any number of processes and machines share.

The folder of a sweep has its spec (sweep.toml), the journal (journal.log) and its workers (workers.py). A trial whose
worker and whose training are both gone is given to the next worker that asks, which resumes its run.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrl.markets.contract import spec_of
from mmrl.runs.atomic import BrokenRun, durable_write, read_plain, sync_folder
from mmrl.runs.goals import METRICS as METRICS_FILE
from mmrl.runs.goals import SPEC
from mmrl.runs.group_plan import begin_member
from mmrl.runs.history import read_metrics
from mmrl.runs.listing import CONFIG
from mmrl.runs.lock import is_locked
from mmrl.runs.metrics import METRICS, metric_of
from mmrl.runs.names import namesake, run_folder
from mmrl.settings.errors import ConfigError, choose, note
from mmrl.settings.files import parsed
from mmrl.settings.sweep_file import Dimension, Sweep, Value
from mmrl.training.workers import Workers

JOURNAL = "journal.log"
WORKER = "worker"
"""Name of a fact of a trial in the journal: the worker that has it."""
INSTALL = "mmrl sweep needs Optuna: pip install 'market-making-rl[sweep]'"
LARGEST_JOURNAL = 2**33
"""Bytes; an epoch of a trial adds some hundred."""
STOPPED = "stopped"
"""Name of a fact of a trial in the journal: when somebody stopped its training, in seconds since 1970."""
STATES = ("complete", "pruned", "failed", "running", "stopped")
"""Of a trial; a stopped one is gone on with by the next worker that begins."""
STARTUP, WARM_UP = 5, 0.1
"""Complete trials, and the share of its epochs, before a trial is pruned."""


@dataclass(frozen=True)
class Trial:
    """A trial that this worker has."""

    number: int
    values: dict[str, Value]
    folder: Path


@dataclass(frozen=True)
class Outcome:
    """A trial that has ended or goes on, as the journal has it."""

    number: int
    run: str
    state: str
    """One of STATES."""
    value: float | None
    values: dict[str, Value]


class Study:
    """One worker's view of a study; use it in a with block."""

    def __init__(self, sweep: Sweep, threads: int) -> None:
        """`threads`: of each training where the spec names no number."""
        try:
            import optuna
        except ImportError:
            raise ConfigError(INSTALL) from None
        self._optuna = optuna
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.sweep, self.root, self.threads = sweep, Path(sweep.base.run.results), threads
        self.folder = begin_folder(sweep)
        self.workers, self.began = Workers(self.folder), time.time()
        try:
            self.study = self._opened()
        except BaseException:
            self.workers.leave()
            raise

    def _opened(self) -> Any:
        from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

        optuna, journal = self._optuna, str(self.folder / JOURNAL)
        try:
            with self.workers.alone():
                self._check_journal()
            # the lock works on network file systems too
            self._storage = optuna.storages.JournalStorage(JournalFileBackend(journal, JournalFileOpenLock(journal)))
            return self._created()
        except json.JSONDecodeError as error:
            raise _torn(journal, error) from None

    def _check_journal(self) -> None:
        """Raise ConfigError on a journal that Optuna could not read: it would first add a line to what is torn."""
        path = self.folder / JOURNAL
        try:
            lines = read_plain(path, LARGEST_JOURNAL).split(b"\n")
        except FileNotFoundError:
            return
        except BrokenRun as error:
            raise ConfigError(f"{error}: remove it, or begin under another name") from None
        if self.workers.others_work():
            lines = lines[:-1]  # the last one may be being written
        for line in filter(None, lines):
            try:
                json.loads(line.decode("utf-8"))
            except ValueError as error:
                raise _torn(str(path), error) from None

    def _created(self) -> Any:
        optuna, sweep = self._optuna, self.sweep
        return optuna.create_study(
            storage=self._storage,
            study_name=sweep.name,
            direction="minimize" if sweep.goal.minimise else "maximize",
            sampler=optuna.samplers.TPESampler(constant_liar=True),
            pruner=optuna.pruners.MedianPruner(STARTUP, int(WARM_UP * sweep.base.training.ne))
            if sweep.prune
            else optuna.pruners.NopPruner(),
            load_if_exists=True,
        )

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *exc: Any) -> None:
        self.workers.leave()

    def claim(self, target: int) -> Trial | None:
        """A trial to train: one that its worker has left, or a new one while there are fewer than `target`; or None."""
        with self.workers.alone():
            for trial in self._offered(target):
                trial.set_user_attr(WORKER, self.workers.name)
                for dimension in self.sweep.search:  # of a trial that was left, those that it has no value of
                    _suggest(trial, dimension)
                try:
                    return self._begun(trial.number, self._values(trial.params))
                except ConfigError as error:  # values that contradict each other
                    self.study.tell(trial.number, state=self._optuna.trial.TrialState.FAIL)
                    note(f"trial {trial.number}: {error}")
        return None

    def _offered(self, target: int) -> Iterator[Any]:
        """Trials that may be had, of Optuna's own kind: first those that were left."""
        trials = self.study.get_trials(deepcopy=False)
        for trial in trials:
            if trial.state == self._optuna.trial.TrialState.RUNNING and self._left(trial):
                yield self._optuna.trial.Trial(self.study, trial._trial_id)
        for _ in range(len(trials), target):
            yield self.study.ask()

    def others(self) -> int:
        """Trials that other workers have in training."""
        running = self.study.get_trials(deepcopy=False, states=(self._optuna.trial.TrialState.RUNNING,))
        return sum(trial.user_attrs.get(WORKER) != self.workers.name and not self._put_down(trial) for trial in running)

    def put_down(self, trial: Trial) -> None:
        """Leave a trial that somebody has stopped to workers that begin later."""
        self._trial(trial).set_user_attr(STOPPED, time.time())

    def report(self, trial: Trial, record: dict[str, Any]) -> bool:
        """Take the record of an epoch; whether the trial should stop, being below the median."""
        value, epoch = self.sweep.goal.at(record), int(record["epoch"])
        own = self._trial(trial)
        if value is None or epoch in self._frozen(trial).intermediate_values:
            return False
        own.report(value, epoch)
        return bool(own.should_prune())

    def end(self, trial: Trial, state: str) -> float | None:
        """Write down how a trial ended (complete, pruned, failed); its value, None where it has none."""
        states = self._optuna.trial.TrialState
        value = self.sweep.goal.of(read_metrics(trial.folder / METRICS_FILE)) if state == "complete" else None
        state = "failed" if state == "complete" and value is None else state
        told = {"complete": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}[state]
        self.study.tell(trial.number, value, told, skip_if_finished=True)
        return value

    def outcomes(self) -> list[Outcome]:
        """All trials: those with a value from the best to the worst, then the others by their number."""
        names = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}
        found = [
            Outcome(
                t.number, self.run_name(t.number),
                names.get(t.state.name) or ("stopped" if self._rests(t) else "running"),
                t.value if t.state.name == "COMPLETE" else None, self._values(t.params),
            )
            for t in self.study.get_trials(deepcopy=False)
        ]  # fmt: skip
        return sorted(found, key=lambda o: (*self.sweep.goal.order(o.value), o.number))

    def importance(self) -> dict[str, float]:
        """Share of each searched setting in the spread of the objective (PED-ANOVA); empty while too few are known."""
        valued = [outcome.value for outcome in self.outcomes() if outcome.value is not None]
        if len(valued) < enough(self.sweep) or len(set(valued)) < 2:
            return {}
        evaluator = self._optuna.importance.PedAnovaImportanceEvaluator()
        found = self._optuna.importance.get_param_importances(self.study, evaluator=evaluator)
        return {key: float(share) for key, share in found.items() if math.isfinite(share)}

    def run_name(self, number: int) -> str:
        """The run of a trial."""
        return f"{self.sweep.name}-{number}"

    def _left(self, trial: Any) -> bool:
        """Whether neither the worker of a trial nor its training lives."""
        alive = self.workers.alive(trial.user_attrs.get(WORKER, ""))
        return not alive and not self._put_down(trial) and not self._trained(trial.number)

    def _put_down(self, trial: Any) -> bool:
        """Whether somebody has stopped a trial since this worker began."""
        return float(trial.user_attrs.get(STOPPED, 0.0)) > self.began

    def _rests(self, trial: Any) -> bool:
        """Whether nobody trains a trial or is about to."""
        worker = trial.user_attrs.get(WORKER, "")
        other = worker != self.workers.name and self.workers.alive(worker) and STOPPED not in trial.user_attrs
        return not other and not self._trained(trial.number)

    def _trained(self, number: int) -> bool:
        return is_locked(self.root / self.run_name(number))

    def _begun(self, number: int, values: dict[str, Value]) -> Trial:
        """A trial with the folder of its run, created where it is missing."""
        name = self.run_name(number)
        folder = run_folder(self.root, name)
        if not (folder / CONFIG).is_file():
            threads = self.sweep.base.run.threads or self.threads
            config = self.sweep.config({**values, "run.name": name, "run.threads": threads})
            origins = {**self.sweep.origins, **dict.fromkeys(values, f"sweep {self.sweep.name}")}
            folder = begin_member(config, origins, self.sweep.name, self.sweep.fitted)
        return Trial(number, values, folder)

    def _values(self, params: dict[str, Any]) -> dict[str, Value]:
        return {dimension.key: params[dimension.key] for dimension in self.sweep.search if dimension.key in params}

    def _frozen(self, trial: Trial) -> Any:
        return self.study.get_trials(deepcopy=False)[trial.number]

    def _trial(self, trial: Trial) -> Any:
        return self._optuna.trial.Trial(self.study, self._frozen(trial)._trial_id)


def enough(sweep: Sweep) -> int:
    """Complete trials from which the importance of the searched settings is told."""
    return 2 * len(sweep.search) + 2


def check_objective(sweep: Sweep) -> None:
    """Raise ConfigError for an objective that no epoch records, or that this market does not have."""
    if metric_of(sweep.goal.metric) is None:
        known = [metric.name for metric in METRICS if metric.drawn]
        raise ConfigError(f"objective = {sweep.goal.metric!r}: there are {choose(sweep.goal.metric, known)[7:]}")
    if sweep.goal.metric == "optimality" and not spec_of(sweep.base).exact_optimum:
        raise ConfigError(f"objective = 'optimality': market {sweep.base.market.name} has no exact optimum: use grade")


def _suggest(trial: Any, dimension: Dimension) -> None:
    key = dimension.key
    if dimension.choices:
        trial.suggest_categorical(key, dimension.choices)
    elif dimension.whole:
        trial.suggest_int(
            key, int(dimension.low), int(dimension.high), step=int(dimension.step or 1), log=dimension.log
        )
    else:
        trial.suggest_float(key, dimension.low, dimension.high, step=dimension.step, log=dimension.log)


def _torn(journal: str, error: ValueError) -> ConfigError:
    return ConfigError(f"{journal}: a line is not whole ({error}): remove it, or begin under another name")


def begin_folder(sweep: Sweep) -> Path:
    """The folder of a sweep with its spec; refuses one that was begun with another spec, or a name that is taken."""
    root = Path(sweep.base.run.results)
    folder = run_folder(root, sweep.name)
    if not (folder / SPEC).exists():
        _create_folder(sweep, root, folder)
    stored = read_plain(folder / SPEC, 1_000_000).decode("utf-8", "replace")
    if _meaning(stored, str(folder / SPEC)) != _meaning(sweep.text, sweep.name):
        raise ConfigError(f"{folder / SPEC} is another spec, with which {sweep.name} began: give yours another name")
    return folder


def _create_folder(sweep: Sweep, root: Path, folder: Path) -> None:
    """Make the folder of a sweep; it gets its name when its spec is there, as other workers may begin meanwhile."""
    other = namesake(root, sweep.name)
    if other and not (folder / SPEC).exists():
        raise ConfigError(f"{other} is taken in {root}: give the spec another name")
    hidden = root / f".new-{uuid.uuid4().hex}.tmp"
    hidden.mkdir(parents=True)
    try:
        durable_write(hidden / SPEC, sweep.text.encode())
        os.rename(hidden, folder)
        sync_folder(root)
    except OSError:
        if not (folder / SPEC).exists():  # else another worker was faster
            raise
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def _meaning(text: str, source: str) -> dict[str, Any]:
    """What a spec says, but for how many trials."""
    return {key: value for key, value in parsed(text, source).items() if key != "trials"}
