"""One process training one run: resume, train, record, steer, end in a state that everybody can read."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from mmrl.evaluate.grade import Grader
from mmrl.settings.model import Config
from mmrl.training.signals import EXIT_OK, Interruption

EXIT_FAILED, EXIT_DIVERGED = 1, 5


class View(Protocol):
    """What shows a training process: a terminal, a pipe, a stream of JSON."""

    def __enter__(self) -> Any: ...
    def __exit__(self, *exc: Any) -> Any: ...
    def start(self, config: Config, folder: Path, target: int) -> None:
        """Called once, before the first epoch."""

    def past(self, records: list[dict[str, Any]]) -> None:
        """Called once after start when a run goes on, with the epochs that it has done."""

    def epoch(self, record: dict[str, Any]) -> None:
        """Called after every epoch."""

    def note(self, text: str) -> None:
        """One line of narration."""

    def finish(self, summary: dict[str, Any]) -> None:
        """Called once, at the end, however it came."""


class TrainingProcess:
    """One process training one run, from its last checkpoint to its target, with its lock held."""

    def __init__(
        self, config: Config, origins: dict[str, str], folder: Path, view: View, interruption: Interruption
    ) -> None:
        self.config, self.origins = config, origins
        self.folder, self.view, self.interruption = folder, view, interruption
        self.best = float("-inf")
        self.target = config.training.ne
        self.grader = Grader(config)
        self.changed: dict[str, Any] = {}  # live edits taken over and not yet part of config.toml
        self.obeyed = ""

    def work(self) -> int:
        """Train; whatever ends it is written to status.json. Returns the exit code."""
        from mmrl.learn.update import Diverged
        from mmrl.rollout.trajectories import NoLiveSteps

        self._forget_obeyed()
        self._status("starting", started=time.time(), target=self.target, error=None)
        try:
            state = self._train()
        except Diverged as error:
            self._break_off("diverged", str(error))
            return EXIT_DIVERGED
        except (NoLiveSteps, OSError, MemoryError) as error:
            self._break_off("failed", str(error))
            return EXIT_FAILED
        except BaseException as error:
            with suppress(OSError):
                self._end("interrupted" if isinstance(error, SystemExit) else "failed", repr(error))
            raise
        self._end(state)
        return self.interruption.exit_code if state == "interrupted" else EXIT_OK

    def _train(self) -> str:
        """Resume, then one epoch after the other; returns the state that it ended in."""
        from mmrl.learn import precompile as warm
        from mmrl.learn.trainer import Trainer
        from mmrl.runs import checkpoint
        from mmrl.runs.atomic import BrokenRun, remove_temporaries
        from mmrl.runs.history import History, read_metrics
        from mmrl.runs.manifest import mark_of
        from mmrl.runs.recorder import Recorder

        for place in (self.folder, self.folder / "checkpoints", self.folder / "episodes"):
            remove_temporaries(place)
        self.view.start(self.config, self.folder, self.target)
        number, state, faults = checkpoint.load(self.folder)
        for fault in faults:
            self.view.note(f"{fault}: going back to epoch {number}")
        history = History(self.folder / "metrics.jsonl")
        damage = history.go_back(number, mark_of(self.folder, number))
        if damage:
            self.view.note(damage)
        compiles = self._compiles()
        if compiles:
            self.view.note("compiling the market for this machine, once (up to 15 s) ...")
        beside = warm.start() if compiles else None
        trainer = Trainer(self.config)
        if beside is not None:
            beside.wait()
        if compiles:
            self.view.note(f"compiled in {trainer.seconds_compiling:.1f} s")
        if state:
            trainer.load_state_dict(state["trainer"])
            self.best = float(state["best"])
            with suppress(BrokenRun):  # too many epochs to draw are not too many to go on with
                self.view.past(read_metrics(history.path))
            self._compare_versions(_versions(trainer))
        self.epoch = number
        self._status("running", epoch=number)
        recorder = Recorder(self.folder, history, [damage] if damage else [])
        try:
            stopped = self._loop(trainer, recorder)
            recorder.flush()
        finally:
            recorder.close()
        return "interrupted" if stopped and self.epoch < self.target else "finished"

    def _loop(self, trainer: Any, recorder: Any) -> bool:
        """One epoch after the other; True when it was told to stop."""
        go_on = self._steer(trainer, recorder)
        while self.epoch < self.target:
            if not go_on or self.interruption.signal:
                return True
            epoch = next(trainer.run(self.target))
            event = {"event": self.changed} if self.changed else {}
            record = {**epoch.record, **event, "wall": time.time()}
            self._keep(trainer, recorder, epoch, record)
            self.view.epoch(record)
            self._acknowledge(recorder)
            go_on = self._steer(trainer, recorder)
        self._acknowledge(recorder)
        return False

    def _keep(self, trainer: Any, recorder: Any, epoch: Any, record: dict[str, Any]) -> None:
        """Hand one epoch to the recorder, with an episode now and then."""
        from mmrl.training.episode import episode_arrays

        self.epoch, every, arrays = epoch.number, self.config.run.plot_after, None
        better = record["value_mean"] > self.best
        self.best = max(self.best, record["value_mean"])
        if every and (epoch.number % every == 0 or epoch.number == self.target):
            grade = self.grader.optimality(trainer.policy, trainer.normaliser)
            if grade is not None:
                record["optimality"] = grade
            arrays = episode_arrays(self.config, epoch, trainer, self.grader.optimum)
        state = {"trainer": trainer.state_dict(), "best": self.best}
        recorder.keep(record, arrays, state, best=better, versions=_versions(trainer))

    def _forget_obeyed(self) -> None:
        """Drop wishes that an earlier process has carried out: a run that is started again is meant to run."""
        from mmrl.runs.control import forget, read_wish
        from mmrl.runs.status import read_raw

        mark = read_wish(self.folder)[1]
        if mark and mark == read_raw(self.folder).get("obeyed"):
            forget(self.folder)

    def _steer(self, trainer: Any, recorder: Any) -> bool:
        """Obey control.json: live settings, pause (sleeping until told otherwise), stop. False to stop."""
        from mmrl.runs.control import forget, read_wish

        control, mark = read_wish(self.folder)
        if mark == self.obeyed:
            return True
        self._change(trainer, recorder, control["set"])
        if control["want"] == "pause":
            recorder.flush()
            self._status("paused", epoch=self.epoch, obeyed=mark)
            self.view.note("paused")
            while control["want"] == "pause" and not self.interruption.signal:
                time.sleep(0.1)
                control, mark = read_wish(self.folder)
                self._change(trainer, recorder, control["set"])
            if control["want"] == "run":
                self._status("running", epoch=self.epoch)
                self.view.note("going on")
        self.obeyed = mark
        if control["want"] == "stop":
            self._acknowledge(recorder)
            forget(self.folder)  # the wish is fulfilled: a resume may run
            return False
        if not self.changed:
            recorder.flush()
            self._status("running", obeyed=mark)
        return True

    def _change(self, trainer: Any, recorder: Any, wishes: dict[str, Any]) -> None:
        """Take new values over for the epochs to come."""
        from mmrl.runs.control import LABELS, LIVE
        from mmrl.settings.fields import field, value_of
        from mmrl.settings.sources import replaced

        if "ne" in wishes:
            wishes = {**wishes, "ne": max(wishes["ne"], self.epoch, 1)}
        changed = {name: v for name, v in wishes.items() if v != value_of(self.config, field(LIVE[name]))}
        if not changed:
            return
        self.config = replaced(self.config, {LIVE[name]: value for name, value in changed.items()})
        trainer.set_live(**{name: value for name, value in changed.items() if LIVE[name].startswith("training.")})
        self.target = self.config.training.ne
        self.changed |= changed
        if "ne" in changed:
            recorder.flush()
            self._status("running", target=self.target)
        self.view.note(", ".join(f"{LABELS[name]} {value}" for name, value in changed.items()) + " from now on")

    def _acknowledge(self, recorder: Any) -> None:
        """Make live edits part of the run's settings once the epoch that says so is on disk."""
        from mmrl.runs.control import LIVE
        from mmrl.runs.store import read_config, write_config
        from mmrl.settings.sources import replaced

        if not self.changed:
            return
        recorder.flush()
        stored = read_config(self.folder)
        values = {LIVE[name]: value for name, value in self.changed.items()}
        origins = {**stored.origins, **dict.fromkeys(values, f"live edit, epoch {self.epoch}")}
        write_config(self.folder, replaced(stored.config, values), origins, stored.meta)
        self.changed = {}
        self._status("running", obeyed=self.obeyed)

    def _compare_versions(self, versions: dict[str, Any]) -> None:
        """Say in one line what differs from the process that made the checkpoint."""
        from mmrl.runs.manifest import sound_manifest

        before = sound_manifest(self.folder)[0].get("versions", {})
        other = [f"{key} {before[key]} -> {now}" for key, now in versions.items() if before.get(key, now) != now]
        if other:
            self.view.note("not bit for bit the run it would have been: " + ", ".join(other))

    def _compiles(self) -> bool:
        from mmrl.rollout.compiled import compile_needed
        from mmrl.rollout.devices import resolve

        return resolve(self.config)[0] == "compiled" and compile_needed(self.config)

    def _status(self, state: str, **facts: Any) -> None:
        from mmrl.runs.status import write_status

        write_status(self.folder, state, **facts)

    def _break_off(self, state: str, error: str) -> None:
        """Say why and end; where nothing can be said, as the log is on the full disk itself, the status says it."""
        with suppress(OSError):
            self.view.note(f"{state}: {error}")
        with suppress(OSError):
            self._end(state, error)

    def _end(self, state: str, error: str | None = None) -> None:
        """The last status and the summary; a disk too full for a status must not hide why training ended."""
        with suppress(OSError):
            self._status(state, error=error)
        self.view.finish({"run": self.folder.name, "state": state, "epochs": getattr(self, "epoch", 0)})


def _versions(trainer: Any) -> dict[str, Any]:
    """What a bit-for-bit repetition needs beside the settings."""
    import platform

    import numba
    import numpy
    import torch

    import mmrl

    return {
        "mmrl": mmrl.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": numpy.__version__,
        "numba": numba.__version__,
        "threads": trainer.threads,
        "engine": trainer.engine.name,
        "device": str(trainer.device),
    }
