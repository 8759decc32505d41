"""`mmrl sweep`: searches settings with Optuna, one training a trial, as many side by side as fit."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmrl.display.board import JSON, LINES, LIVE, Board
from mmrl.display.choose import draws
from mmrl.plots.numbers import amount, percent, several
from mmrl.plots.output import say
from mmrl.plots.table import Column, room, table
from mmrl.runs import config_file, listing
from mmrl.runs.following import command, lines
from mmrl.runs.lock import RunBusy, RunLock
from mmrl.runs.status import write_status
from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import shown
from mmrl.settings.sweep_file import Sweep, read_sweep
from mmrl.settings.variables import note_unused
from mmrl.statistics.attempts import Attempts
from mmrl.training.children import Children, Heard, killed, side_by_side
from mmrl.training.ranks import ranks
from mmrl.training.signals import READER_LEFT, Interruption
from mmrl.training.study import STATES, Outcome, Study, Trial, check_objective, enough

LOOK, WAIT = 0.2, 2.0
"""Seconds to listen to the trainings; and between two looks for trials that another worker has left."""
SHOWN = 10
"""Trials in the table at the end."""
KILLED = 2
"""Times that a training which something has killed is begun again."""
FAILURES = 3
"""Trainings that fail one after the other before the sweep stops."""
DIVERGED = 5


def sweep(spec: str, trials: int | None, jobs: int | None, results: str, as_json: bool) -> int:
    """Work on the study of a spec until it has its trials; returns the exit code.

    The first SIGINT or SIGTERM stops all trials after their epoch with checkpoints; the same command goes on with them.
    """
    if ranks() > 1:
        raise ConfigError("mmrl sweep does not work under torchrun, whose processes train one run: start it without")
    wanted = read_sweep(spec, results)
    try:
        check_objective(wanted)
    except ConfigError as error:
        raise ConfigError(f"{spec}: {error}") from None
    target = trials or wanted.trials
    note_unused(os.environ, wanted.base, {}, "every worker of a sweep must train the same: set it in the spec")
    at_once, threads = side_by_side(wanted.base, target, jobs or 0)
    kind = JSON if as_json else LIVE if draws() else LINES
    with Study(wanted, threads) as study:
        text = f"{wanted.name}  {wanted.base.market.name}  {several(target, 'trial')}, {at_once} at once, objective "
        board = Board(text + wanted.goal.name, kind)
        worker = Worker(study, board, target, at_once)
        with Interruption(
            lambda: board.note("stopping all after this epoch; press Ctrl-C again to stop at once")
        ).installed() as interruption:
            worker.work(interruption)
        board.close()
        found = study.outcomes()
        importance: dict[str, float] = Attempts(board.note).get("importance", study.importance, {})
        if as_json:
            board.say_json(summary(wanted, found, importance))
        else:
            for line in report(wanted, found, importance, room()):
                say(line, board.out)
    if worker.fault:
        raise ConfigError(worker.fault)
    if found and not interruption.exit_code and all(outcome.state == "failed" for outcome in found):
        said = worker.said or "no settings of them can be trained here"
        raise ConfigError(f"all {len(found)} trials failed: {said}")
    return interruption.exit_code


class Worker:
    """Trains trials of a study, some at once."""

    def __init__(self, study: Study, board: Board, target: int, at_once: int) -> None:
        self.study, self.board, self.target, self.at_once = study, board, target, at_once
        self.children, self.trials = Children(), dict[str, Trial]()
        self.pruned, self.killed = set[str](), Counter[str]()
        self.failures, self.said, self.fault = 0, "", ""

    def work(self, interruption: Interruption) -> None:
        """Until the study has its trials, a signal stops it, or trainings fail one after the other."""
        more, sent, first_alone, looked = True, False, _compiles(self.study.sweep), time.monotonic()
        try:
            while self.children or more:
                if interruption.signal and not sent:
                    sent, more = True, False
                    self.children.send(15 if interruption.signal == READER_LEFT else interruption.signal)
                while more and len(self.children) < (1 if first_alone else self.at_once):
                    more = self._begin()
                for heard in self.children.heard(LOOK if self.children else WAIT):
                    first_alone = first_alone and heard.kind == "note"  # else the kernels are compiled
                    self._take(heard, sent)
                if self.failures >= FAILURES:
                    self.fault = f"{FAILURES} trials failed one after the other, the last said: {self.said}"
                    break
                free = not more and not sent and len(self.children) < self.at_once
                if free and (not self.children or time.monotonic() > looked + WAIT):
                    looked, more = time.monotonic(), self.study.others() > 0  # whose workers may leave a trial
        finally:
            self.children.send(15)

    def _begin(self) -> bool:
        """Start one more trial; False where there is none to be had."""
        trial = self.study.claim(self.target)
        if trial is None:
            return False
        name = f"trial {trial.number}"
        self.trials[name] = trial
        config = config_file.read_config(trial.folder).config
        [last] = listing.last_records(trial.folder, "epoch")
        facts = {"run": trial.folder.name, "trial": trial.number}
        self.board.add(name, config, trial.folder, "starting", last, facts)
        self._train(name, trial)
        return True

    def _train(self, name: str, trial: Trial) -> None:
        try:
            lock = RunLock(trial.folder).take()
        except RunBusy as error:  # somebody trains it by hand
            self.study.put_down(self.trials.pop(name))
            self.board.note(f"{name}: {error}: the next mmrl sweep goes on with it")
            return
        self.children.start(name, lock)

    def _take(self, heard: Heard, stopping: bool) -> None:
        trial = self.trials[heard.name]
        if heard.kind == "note":
            self.said = heard.what
            if not stopping and heard.name not in self.pruned:
                self.board.note(f"{heard.name}: {heard.what}")
        elif heard.kind == "record":
            self.board.record(heard.name, heard.what)
            if "state" not in heard.what and not stopping and self.study.report(trial, heard.what):
                self.pruned.add(heard.name)
                self.children.send(15, heard.name)
        elif heard.name in self.pruned:
            self.failures = 0
            self._end(heard.name, "pruned")
            write_status(trial.folder, "pruned")
        elif not stopping:
            self._ended(heard.name, trial, heard.what)

    def _ended(self, name: str, trial: Trial, code: int) -> None:
        """A training has ended that this worker has not told to end: of itself, or because somebody stopped it."""
        state = listing.describe(trial.folder).state
        if code == 0 and state == "finished":
            self.failures = 0
            self._end(name, "complete")
        elif state == "interrupted" and (code == 0 or code > 128):  # asked to stop, or by a signal
            self.study.put_down(self.trials.pop(name))
            self.board.state(name, "interrupted")
            self.board.note(f"{name}: somebody has stopped it: the next mmrl sweep goes on with it")
        elif code < 0 and self.killed[name] < KILLED:
            self.killed[name] += 1
            self.board.note(f"{name}: {killed(code)}: it goes on from its last epoch")
            self._train(name, trial)
        else:
            self.said = killed(code) if code < 0 else self.said
            if code < 0:
                self.board.note(f"{name}: {self.said}, {KILLED + 1} times: it counts as failed")
            self.failures = 0 if code == DIVERGED else self.failures + 1
            self._end(name, "failed")

    def _end(self, name: str, state: str) -> None:
        self.study.end(self.trials.pop(name), state)
        self.board.state(name, state)


def _compiles(sweep: Sweep) -> bool:
    from mmrl.rollout.compiled import compile_needed

    return sweep.base.run.engine not in ("cuda", "tensor") and compile_needed(sweep.base)


def summary(sweep: Sweep, found: Sequence[Outcome], importance: dict[str, float]) -> dict[str, Any]:
    """A sweep for programs."""
    best = next((outcome for outcome in found if outcome.value is not None), None)
    return {
        "sweep": sweep.name,
        "objective": sweep.goal.name,
        "take": sweep.goal.take,
        "best": None if best is None else vars(best),
        "importance": importance,
        "trials": [vars(outcome) for outcome in found],
    }


def report(sweep: Sweep, found: Sequence[Outcome], importance: dict[str, float], width: int) -> list[str]:
    """The best trials with their values, the importance of each setting, and what can follow."""
    counts = {state: sum(o.state == state for o in found) for state in STATES}
    head = f"{sweep.name}: " + ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    names = [dimension.key for dimension in sweep.search]
    short = [name.partition(".")[2] for name in names]
    short = short if len(set(short)) == len(short) else names
    heads = [Column("run", "label"), Column(sweep.goal.metric), *(Column(name) for name in short)]
    rows = [
        [o.run, _objective(sweep, o.value), *(_short(o.values.get(name, "")) for name in names)]
        for o in found
        if o.value is not None
    ]
    said = [head]
    if rows:
        said += table(heads, rows[:SHOWN], width, f"best of {len(rows)}" if len(rows) > SHOWN else "")
    if importance:
        said.append("importance: " + ", ".join(f"{key} {100 * share:.0f} %" for key, share in importance.items()))
    elif 0 < counts["complete"] < enough(sweep):
        said.append(f"importance: of each setting from {enough(sweep)} complete trials on")
    steps = []
    if rows:
        steps = [("look", ["plot", rows[0][0]]), ("evaluate", ["evaluate", rows[0][0]])]
    steps.append(("list", ["runs", "list", "--unfold"]))
    root = Path(sweep.base.run.results)
    return [*said, *lines([(what, command(words, root)) for what, words in steps])]


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else shown(value)


def _objective(sweep: Sweep, value: float | None) -> str:
    if value is None:
        return ""
    return percent(value) if sweep.goal.metric == "optimality" else amount(value)
