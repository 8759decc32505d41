"""One process that trains one run: resume, train, record, carry out requests, write the final state."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from mmrl.evaluate.grade import Grade, Grader
from mmrl.runs.atomic import BrokenRun
from mmrl.runs.checkpoint import Constant
from mmrl.runs.following import lines, shown_path, steps
from mmrl.runs.machine import keep_freed_memory
from mmrl.runs.slots import reached
from mmrl.runs.status import ACKNOWLEDGED
from mmrl.settings.model import Config
from mmrl.statistics.attempts import Attempts
from mmrl.training.best import best_from, best_state, judged_by
from mmrl.training.compiling import compiling
from mmrl.training.diagnostics import NEGATIVE, RECORDED, Diagnostics, least
from mmrl.training.failures import is_out_of_memory, reason, require_whole
from mmrl.training.ranks import ranks
from mmrl.training.resume import event_of, settings_in_use, told
from mmrl.training.signals import EXIT_OK, Interruption
from mmrl.training.versions import versions_of
from mmrl.training.view import View

EXIT_FAILED, EXIT_DIVERGED = 1, 5


class TrainingProcess:
    """Trains a run from its last checkpoint to its target; the caller holds the lock of the run."""

    def __init__(
        self, config: Config, origins: dict[str, str], folder: Path, view: View, interruption: Interruption
    ) -> None:
        self._use(config)
        self.origins = origins
        self.folder, self.view, self.interruption = folder, view, interruption
        self._judge(None, 0)
        self.fallen = False  # below the best grade, and said so
        self.target = config.training.ne
        self.grader = Grader(config)
        self.attempts = Attempts(view.note, but=is_out_of_memory)  # what a run records, it records whole
        self.shown = Attempts(view.note)
        self.diagnostics = Diagnostics()
        self.changed: dict[str, Any] = {}  # new settings in use but not yet in config.toml
        self.recorded: Any = self.settings  # of the last epoch
        self.acknowledged = ""  # id of the last request that was carried out
        self.trainer: Any = None  # once there is one
        self.versions: dict[str, Any] = {}  # of what the trainer computes by, once there is one
        keep_freed_memory()

    def _use(self, config: Config) -> None:
        """Train by these settings from now on."""
        self.config = config
        self.settings = settings_in_use(config)
        self.kept_settings = Constant(self.settings)
        self.judged_by = judged_by(config)

    def _judge(self, best: Grade | None, epoch: int) -> None:
        """From now on this is the best grade, of that epoch."""
        self.best, self.best_epoch = best, epoch
        self.kept_best = Constant(best_state(best, epoch, self.judged_by))

    def work(self) -> int:
        """Train and write to status.json how it ended. Returns the exit code."""
        from mmrl.learn.update import Diverged
        from mmrl.rollout.trajectories import NoLiveSteps

        self._drop_acknowledged()
        self._status("starting", started=time.time(), target=self.target, error=None)
        try:
            state = self._train()
        except Diverged as error:
            self._abort("diverged", str(error))
            return EXIT_DIVERGED
        except (NoLiveSteps, OSError, MemoryError) as error:
            self._abort("failed", reason(error, self.folder))
            return EXIT_FAILED
        except BaseException as error:
            if is_out_of_memory(error):
                self._abort("failed", reason(error, self.folder))
                return EXIT_FAILED
            with suppress(OSError):
                self._end("interrupted" if isinstance(error, SystemExit) else "failed", repr(error))
            raise
        self._end(state)
        return self.interruption.exit_code if state == "interrupted" else EXIT_OK

    def _train(self) -> str:
        """Resume, then train epoch by epoch; returns the final state."""
        from mmrl.learn import precompile
        from mmrl.runs import checkpoint
        from mmrl.runs.atomic import remove_temporaries
        from mmrl.runs.history import History, read_metrics
        from mmrl.runs.manifest import metrics_checksum
        from mmrl.runs.recorder import Recorder
        from mmrl.runs.slots import settle

        for place in (self.folder, self.folder / "checkpoints", self.folder / "episodes"):
            remove_temporaries(place)
        self.view.start(self.config, self.folder, self.target)
        history = History(self.folder / "metrics.jsonl")
        torn = settle(self.folder, history)
        number, state, faults = checkpoint.load(self.folder)
        for fault in (*torn, *faults):
            self.view.note(f"{fault}: going back to epoch {number}")
        damage = history.go_back(number, metrics_checksum(self.folder, number))
        if damage:
            self.view.note(damage)
        if self._compiles():
            with compiling(self.view.note):
                process = precompile.start()
                trainer = _trainer(self.config, self.attempts)
                process.wait()
        else:
            trainer = _trainer(self.config, self.attempts)
        if trainer.engine.name != "compiled" and self.config.run.engine == "auto":
            self.view.note(_chosen(trainer))
        if state:
            trainer.load_state_dict(state["trainer"])
            self._judge(*best_from(state["best"], self.judged_by))
            self.diagnostics = Diagnostics(state.get(RECORDED))
            # a history too large to draw does not stop a resume
            self._show("past epochs", lambda: self.view.past(read_metrics(history.path)))
            self._compare_versions(versions_of(trainer))
            self.recorded = state.get("settings")
            self._tell_changes(trainer)
        self.epoch, self.trainer = number, trainer
        self._status("running", epoch=number)
        recorder = Recorder(self.folder, history, [damage] if damage else [], self.attempts)
        try:
            stopped = self._loop(trainer, recorder)
            recorder.flush()
        finally:
            recorder.close()
        return "interrupted" if stopped and self.epoch < self.target else "finished"

    def _loop(self, trainer: Any, recorder: Any) -> bool:
        """Train epoch by epoch; True when a signal or a request stopped it."""
        go_on = self._carry_out_request(trainer, recorder)
        while self.epoch < self.target:
            if not go_on or self.interruption.signal:
                return True
            epoch = trainer.step(recorder.save)
            require_whole(self.folder)
            event, self.recorded = event_of(self.recorded, self.settings), self.settings
            record = {**epoch.record, **({"event": event} if event else {}), "wall": time.time()}
            self._keep(trainer, recorder, epoch, record)
            if not self.view.instant:
                recorder.save()
            self._show("display", partial(self.view.epoch, record))
            self._store_changes(recorder)
            go_on = self._carry_out_request(trainer, recorder)
        self._store_changes(recorder)
        return False

    def _keep(self, trainer: Any, recorder: Any, epoch: Any, record: dict[str, Any]) -> None:
        """Pass one epoch to the recorder, every `plot_after` epochs with an episode."""
        from mmrl.training.episode import episode_arrays

        self.epoch, every, arrays = epoch.number, self.config.run.plot_after, None
        grade = self._graded(trainer)
        better = grade is not None and (self.best is None or grade.value > self.best.value)
        if grade is not None:
            record |= grade.record()
            self._tell_fall(grade, epoch.number)
        if better:
            self._judge(grade, epoch.number)
        self._tell_negative(epoch)
        self._warn(epoch, record)
        if every and (epoch.number % every == 0 or epoch.number == self.target):
            arrays = self.attempts.get(
                "episode", lambda: episode_arrays(self.config, epoch, trainer, self.grader.optimum), None
            )
        state = {"trainer": trainer.state_dict(), "best": self.kept_best}
        state |= {"settings": self.kept_settings, RECORDED: self.diagnostics.state()}
        self.versions = self.versions or versions_of(trainer)
        recorder.keep(record, arrays, state, best=better, versions=self.versions)

    def _tell_negative(self, epoch: Any) -> None:
        """Say once a run that prices have fallen below zero, which the law of a random walk allows."""
        if NEGATIVE in self.diagnostics.said:
            return
        for what, prices in (("mid price", epoch.batch.mid), ("best bid", epoch.batch.bid)):
            lowest = least(prices)
            if lowest < 0:
                self.diagnostics.said.add(NEGATIVE)
                self.view.note(f"epoch {epoch.number}: the {what} fell below zero, to {lowest:.4g}")
                return

    def _warn(self, epoch: Any, record: dict[str, Any]) -> None:
        """Say at once, and record, what keeps the run from learning."""
        look = partial(self.diagnostics.look, self.config, epoch.batch, record)
        lines = self.attempts.get("diagnostics", look, {})
        for line in lines.values():
            self.view.note(f"epoch {epoch.number}: {line}", lasting=True)
        if lines:
            record[RECORDED] = lines

    def _graded(self, trainer: Any) -> Grade | None:
        """The grade of the policy; None where there is none, and then the epoch cannot be the best."""
        grade = self.attempts.get("grade", lambda: self.grader.grade(trainer.policy, trainer.normaliser), None)
        if grade is None or math.isfinite(grade.value):
            return grade
        self.attempts.absent("grade", f"its value is {grade.value}")
        return None

    def _show(self, what: str, show: Callable[[], None]) -> None:
        """Let the view show something; training goes on if it cannot, unless its stream is gone."""
        self.shown.get(what, show, None)

    def _tell_fall(self, grade: Grade, epoch: int) -> None:
        """Say once when the policy has become worse than the best one by more than chance, and when it is back."""
        fallen = self.best is not None and grade.fallen_from(self.best)
        if fallen and not self.fallen and self.best is not None:
            self.view.note(
                f"epoch {epoch}: the grade fell to {grade.value:.6g} from {self.best.value:.6g} at epoch "
                f"{self.best_epoch}, whose policy is kept as the best"
            )
        self.fallen = fallen

    def _drop_acknowledged(self) -> None:
        """Remove a request that an earlier process has carried out: an old pause must not stop a resumed run."""
        from mmrl.runs.control import clear_request, read_request
        from mmrl.runs.status import read_raw

        request_id = read_request(self.folder)[1]
        if request_id and request_id == read_raw(self.folder).get(ACKNOWLEDGED):
            clear_request(self.folder)

    def _carry_out_request(self, trainer: Any, recorder: Any) -> bool:
        """Carry out control.json: new settings, pause (wait for the next request), stop. False to stop."""
        from mmrl.runs.control import clear_request, read_request

        request, request_id = read_request(self.folder)
        if request_id == self.acknowledged:
            return True
        self._change(trainer, recorder, request["set"])
        if request["want"] == "pause":
            recorder.flush()
            self._status("paused", epoch=self.epoch, **{ACKNOWLEDGED: request_id})
            self.view.note("paused")
            while request["want"] == "pause" and not self.interruption.signal:
                time.sleep(0.1)
                request, request_id = read_request(self.folder)
                self._change(trainer, recorder, request["set"])
            if request["want"] == "run":
                self._status("running", epoch=self.epoch)
                self.view.note("resumed")
        self.acknowledged = request_id
        if request["want"] == "stop":
            self._store_changes(recorder)
            clear_request(self.folder)  # it is carried out and must not stop a resume
            return False
        if not self.changed:
            recorder.flush()
            self._status("running", **{ACKNOWLEDGED: request_id})
        return True

    def _change(self, trainer: Any, recorder: Any, values: dict[str, Any]) -> None:
        """Use new values of settings from the next epoch on."""
        from mmrl.runs.control import LABELS, LIVE
        from mmrl.settings.fields import field, value_of
        from mmrl.settings.sources import replaced

        if values.get("ne", self.epoch) < self.epoch:
            self.view.note(
                f"target {values['ne']} is below epoch {self.epoch}, which is trained already: training ends here"
            )
        if "ne" in values:
            values = {**values, "ne": max(values["ne"], self.epoch, 1)}
        changed = {name: v for name, v in values.items() if v != value_of(self.config, field(LIVE[name]))}
        if not changed:
            return
        self._use(replaced(self.config, {LIVE[name]: value for name, value in changed.items()}))
        trainer.set_live(**{name: value for name, value in changed.items() if LIVE[name].startswith("training.")})
        self.target = self.config.training.ne
        self.changed |= changed
        if "ne" in changed:
            recorder.flush()
            self._status("running", target=self.target)
        text = ", ".join(f"{LABELS[name]} {value}" for name, value in changed.items())
        self.view.note(f"{text} from the next epoch on")

    def _store_changes(self, recorder: Any) -> None:
        """Write changed settings into config.toml once the epoch that records the change is on disk."""
        from mmrl.runs.config_file import LIVE_EDIT, read_config, write_config
        from mmrl.runs.control import LIVE
        from mmrl.settings.sources import replaced

        if not self.changed:
            return
        recorder.flush()
        stored = read_config(self.folder)
        values = {LIVE[name]: value for name, value in self.changed.items()}
        origins = {**stored.origins, **dict.fromkeys(values, f"{LIVE_EDIT}, epoch {self.epoch}")}
        write_config(self.folder, replaced(stored.config, values), origins, stored.meta)
        self.changed = {}
        self._status("running", **{ACKNOWLEDGED: self.acknowledged})

    def _tell_changes(self, trainer: Any) -> None:
        """Say which settings a resumed run has changed, and where that leaves its learning rate."""
        event = event_of(self.recorded, self.settings)
        if not event:
            return
        self.view.note(f"changed after epoch {trainer.epoch}: {told(event, self.recorded)}")
        now, last = (f"{rate:.3g}" for rate in trainer.rates)
        if self.config.training.lr_end < 1:
            course = f"goes on from {now} to {last} at epoch {self.target}" if now != last else f"stays at {now}"
            self.view.note(f"the learning rate {course}: -lr sets another one")

    def _compare_versions(self, versions: dict[str, Any]) -> None:
        """Show in one line what differs from the process that wrote the checkpoint."""
        from mmrl.runs.manifest import sound_manifest

        before = sound_manifest(self.folder)[0].get("versions", {})
        changed = {key: now for key, now in versions.items() if before.get(key, now) != now}
        if changed:
            text = ", ".join(f"{key} changed from {before[key]} to {now}" for key, now in changed.items())
            self.view.note(f"this resume is not bit-exact: {text}")

    def _compiles(self) -> bool:
        from mmrl.rollout.compiled import compile_needed
        from mmrl.rollout.devices import resolve

        return resolve(self.config)[0] == "compiled" and compile_needed(self.config)

    def _status(self, state: str, **facts: Any) -> None:
        from mmrl.runs.status import write_status

        write_status(self.folder, state, **facts)

    def _abort(self, state: str, error: str) -> None:
        """Show the reason and end; if it cannot be shown because the log is on a full disk, status.json has it."""
        with suppress(OSError):
            self.view.note(f"{state}: {error}")
        with suppress(OSError):
            self._end(state, error)

    def _end(self, state: str, error: str | None = None) -> None:
        """Write the final status and show the summary, which must appear even if the status cannot be written."""
        with suppress(OSError):
            self._status(state, error=error)
        where, epoch = shown_path(self.folder), getattr(self, "epoch", 0)
        if error and self.folder.is_dir():  # the last one may not have been written
            with suppress(OSError, BrokenRun):
                epoch = min(epoch, reached(self.folder))
        self.view.finish({"run": self.folder.name, "folder": where, "state": state, "epochs": epoch})
        for line in what_next(self.folder, self.config, state, epoch):
            self.view.note(line)


def what_next(folder: Path, config: Config, state: str, epoch: int) -> list[str]:
    """Lines that say how to go on with a run, to look at it and to evaluate it; none where it is gone."""
    from mmrl.markets.contract import spec_of

    if not folder.is_dir():  # moved or removed, which is said
        return []
    agent = next(iter(spec_of(config).usual_agents), "")
    return lines(steps(folder, state, epoch, agent=agent, target=config.training.ne, lr=config.training.lr))


def _trainer(config: Config, attempts: Attempts) -> Any:
    """The trainer: alone, or with the other processes that torchrun has started."""
    from mmrl.learn.trainer import Trainer

    if ranks() == 1:
        return Trainer(config, attempts)
    from mmrl.training.parallel import ParallelTrainer

    return ParallelTrainer(config, attempts)


def _chosen(trainer: Any) -> str:
    """Which engine was chosen for an accelerator, and why not the other one."""
    from mmrl.rollout.devices import cuda_lacks

    name, device = trainer.engine.name, trainer.device
    why = f" ({cuda_lacks()})" if device == "cuda" and name == "tensor" else ""
    return f"simulating on {device} by the {name} engine{why}"
