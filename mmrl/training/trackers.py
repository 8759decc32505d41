"""Trackers: the records of a training sent, as they come, to TensorBoard, Weights & Biases or MLflow.

All work offline unless their own variables say otherwise (WANDB_MODE, MLFLOW_TRACKING_URI). A tracker informs only: one
that fails, or takes longer than the training, is left behind with one note.
"""

from __future__ import annotations

import math
import os
import queue
import threading
from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from mmrl.runs.config_file import read_config
from mmrl.settings.errors import ConfigError, choose
from mmrl.settings.fields import values_of
from mmrl.settings.model import Config
from mmrl.training.view import View

PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow"}
"""The package, and the extra of mmrl, that each tracker needs."""
WAITING = 1000
"""Epochs that may wait for a tracker before it is left behind."""
PATIENCE, HURRIED = 20.0, 0.2
"""Seconds that a tracker has, after the training, for what is still waiting; and where the training must end now."""


class Tracker(Protocol):
    """Takes numbers by epoch."""

    def log(self, epoch: int, numbers: Mapping[str, float]) -> None:
        """Take the numbers of one epoch."""

    def close(self) -> None:
        """Write what is left."""


def numbers_of(record: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers in the record of an epoch, without its number."""
    return {
        key: float(value)
        for key, value in record.items()
        if key != "epoch" and isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    }


def check_installed(name: str) -> None:
    """Raise ConfigError for a tracker that nobody knows, or whose package is not installed."""
    if name not in PACKAGES:
        raise ConfigError(f"--log-to {name}: there are {choose(name, PACKAGES).removeprefix('one of ')}")
    if find_spec(PACKAGES[name]) is None:
        raise ConfigError(f"--log-to {name} needs the package {name}: pip install 'market-making-rl[{name}]'")


class TensorBoard:
    """Event files in the folder `tensorboard` of a run, or in another one; epochs after `first` are written anew."""

    def __init__(self, config: Config, folder: Path, first: int) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=first)  # type: ignore[no-untyped-call]

    def log(self, epoch: int, numbers: Mapping[str, float]) -> None:
        for name, value in numbers.items():
            self._writer.add_scalar(name, value, epoch, walltime=numbers.get("wall"))  # type: ignore[no-untyped-call]

    def close(self) -> None:
        self._writer.close()  # type: ignore[no-untyped-call]


class Wandb:
    """A run of Weights & Biases with the id of the run, in its folder; `wandb sync` uploads it."""

    def __init__(self, config: Config, folder: Path, first: int) -> None:
        import wandb

        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "mmrl"), name=folder.name, id=_identity(folder), resume="allow",
            dir=str(folder), config=values_of(config), mode=os.environ.get("WANDB_MODE", "offline"),  # type: ignore[arg-type]
            settings=wandb.Settings(console="off", silent=True),
        )  # fmt: skip

    def log(self, epoch: int, numbers: Mapping[str, float]) -> None:
        self._run.log(dict(numbers), step=epoch)

    def close(self) -> None:
        self._run.finish()


class Mlflow:
    """A run of MLflow in the database mlflow.db beside the runs; one that is resumed goes on."""

    def __init__(self, config: Config, folder: Path, first: int) -> None:
        import logging

        logging.getLogger("mlflow").setLevel(logging.WARNING)  # it tells of every table that it creates
        from mlflow import MlflowClient

        place = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{folder.resolve().parent / 'mlflow.db'}"
        self._client = MlflowClient(place)
        named = os.environ.get("MLFLOW_EXPERIMENT_NAME", "mmrl")
        experiment = self._client.get_experiment_by_name(named)
        number = experiment.experiment_id if experiment else self._client.create_experiment(named)
        tag = _identity(folder)
        found = self._client.search_runs([number], f"tags.mmrl_id = '{tag}'")
        if found:
            self._run = found[0].info.run_id
            self._client.update_run(self._run, "RUNNING")
            return
        run = self._client.create_run(number, tags={"mmrl_id": tag}, run_name=folder.name)
        self._run = run.info.run_id
        for key, value in values_of(config).items():
            self._client.log_param(self._run, key, value)

    def log(self, epoch: int, numbers: Mapping[str, float]) -> None:
        from mlflow.entities import Metric

        when = int(1000 * numbers.get("wall", 0.0))
        metrics = [Metric(name, value, when, epoch) for name, value in numbers.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def close(self) -> None:
        self._client.set_terminated(self._run)


def _identity(folder: Path) -> str:
    return str(read_config(folder).meta["id"])


def open_tracker(name: str, config: Config, folder: Path, first: int) -> Tracker:
    """The tracker of a name for a run whose next epoch is `first`."""
    if name == "tensorboard":
        return TensorBoard(config, folder / "tensorboard", first)
    return (Wandb if name == "wandb" else Mlflow)(config, folder, first)


class Tracked:
    """A view that passes records on to trackers as well, each in a thread of its own: what happens there stops nothing.

    A resumed run sends its new epochs only: its tracker has the others.
    """

    instant = False

    def __init__(self, view: View, names: list[str], opener: Callable[..., Tracker] = open_tracker) -> None:
        self._view, self._names, self._opener = view, names, opener
        self._senders: list[_Sender] = []
        self._begun: tuple[Config, Path] | None = None

    def __enter__(self) -> Any:
        return self._view.__enter__()

    def __exit__(self, *exc: Any) -> Any:
        # a second Ctrl-C leaves at once: an exception here, or a call from the thread that watches the signals
        hurried = any(exc) or threading.current_thread() is not threading.main_thread()
        for sender in self._senders:
            sender.end(HURRIED if hurried else PATIENCE)
        self._senders = []
        return self._view.__exit__(*exc)

    def start(self, config: Config, folder: Path, target: int) -> None:
        self._begun = config, folder
        self._view.start(config, folder, target)

    def past(self, records: list[dict[str, Any]]) -> None:
        self._view.past(records)

    def epoch(self, record: dict[str, Any]) -> None:
        if self._begun is not None:  # the first record says where a resumed run goes on
            config, folder = self._begun
            first = int(record.get("epoch", 1))
            self._senders = [
                _Sender(name, partial(self._opener, name, config, folder, first), self._view.note)
                for name in self._names
            ]
            self._begun = None
        for sender in self._senders:
            sender.send(record)
        self._view.epoch(record)

    def note(self, text: str, lasting: bool = False) -> None:
        self._view.note(text, lasting)

    def finish(self, summary: dict[str, Any]) -> None:
        self._view.finish(summary)


class _Sender:
    """One tracker in its thread."""

    def __init__(self, name: str, opener: Callable[[], Tracker], say: Callable[[str], None]) -> None:
        self.name, self._opener, self._say = name, opener, say
        self._waiting: queue.Queue[Mapping[str, Any] | None] = queue.Queue(WAITING)
        self._lost = False
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    def send(self, record: Mapping[str, Any]) -> None:
        """Pass a record on, unless the tracker has failed."""
        if self._lost:
            return
        try:
            self._waiting.put_nowait(dict(record))
        except queue.Full:
            self._lose(f"it is {WAITING} epochs behind")

    def end(self, patience: float) -> None:
        """Wait for what is waiting, for at most so many seconds."""
        if self._lost:
            return
        try:
            self._waiting.put_nowait(None)
        except queue.Full:
            return self._lose(f"it is {WAITING} epochs behind")
        self._thread.join(patience)
        if self._thread.is_alive():
            self._lose(f"it did not end within {patience:g} s")

    def _work(self) -> None:
        try:
            tracker = self._opener()
            while (record := self._waiting.get()) is not None:
                if self._lost:
                    return
                tracker.log(int(record.get("epoch", 0)), numbers_of(record))
            tracker.close()
        except BaseException as error:  # a library may even raise SystemExit
            self._lose(" ".join(str(error).split()) or type(error).__name__)

    def _lose(self, why: str) -> None:
        if not self._lost:
            self._lost = True
            self._say(f"{self.name} failed ({why[:200]}): the training goes on without it")
