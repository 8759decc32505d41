"""Where the time of an epoch goes, from its rollout to its checkpoint, and how much memory the training takes."""

from __future__ import annotations

import atexit
import shutil
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Any

from mmrl.bench.clock import peak_mb, seconds_of
from mmrl.bench.rollout import configured

PARTS = (
    ("returns", "mmrl.learn.trainer", "learning_batch"),
    ("returns", "mmrl.learn.trainer", "with_mirror_image"),
    ("minibatches", "mmrl.learn.update", "minibatches"),
    ("gradient", "mmrl.learn.trainer", "accumulate"),
    ("optimiser", "mmrl.learn.update", "Adam.step"),
    ("figures", "mmrl.learn.trainer", "batch_record"),
    ("grade", "mmrl.training.loop", "TrainingProcess._graded"),
    ("diagnostics", "mmrl.training.loop", "TrainingProcess._warn"),
    ("recording", "mmrl.runs.recorder", "Recorder._save"),
    ("checkpoint", "mmrl.runs.recorder", "Recorder._write"),
)
"""What is timed, and where it is looked up when it is called."""
BESIDE = ("recording", "checkpoint")
"""What threads do beside the next epoch: metrics and state one of its rollout, episodes and checkpoints one of its own.
`rest` is what none of the others is, `overhead` all of the epoch but rollout, returns and update."""
STEADY = 0.4
"""Seconds that epochs take before any is measured, for the first six after a pause find nothing in the caches, and
that those which are measured take: every tenth of them keeps an episode."""
FIGURES = dict.fromkeys(("epoch", "rollout", *dict.fromkeys(part for part, *_ in PARTS), "rest", "overhead"), "s") | {
    "memory": "MB"
}


class Stopwatch:
    """Seconds by part, of functions that it stands before."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def watch(self, part: str, module: str, name: str) -> None:
        """Time every call of a function, or all steps of a generator.

        Another commit, which is measured beside this one, may lack it: there the part is in the rest.
        """
        try:
            holder: Any = import_module(module)
            *path, last = name.split(".")
            for step in path:
                holder = getattr(holder, step)
            work = getattr(holder, last)
        except (ImportError, AttributeError):
            return

        def timed(*args: Any, **kwargs: Any) -> Any:
            began = time.perf_counter()
            try:
                result = work(*args, **kwargs)
            finally:
                self.seconds[part] += time.perf_counter() - began
            return self._steps(part, result) if isinstance(result, Iterator) else result

        setattr(holder, last, timed)

    def _steps(self, part: str, steps: Iterator[Any]) -> Iterator[Any]:
        while True:
            began = time.perf_counter()
            step = next(steps, self)
            self.seconds[part] += time.perf_counter() - began
            if step is self:
                return
            yield step


class NoView:
    """Shows nothing."""

    instant = True

    def __enter__(self) -> NoView:
        return self

    def __exit__(self, *exc: object) -> None: ...
    def start(self, *_: object) -> None: ...
    def past(self, *_: object) -> None: ...
    def epoch(self, *_: object) -> None: ...
    def note(self, *_: object, **__: object) -> None: ...
    def finish(self, *_: object) -> None: ...


def split(preset: str | None, settings: Mapping[str, Any]) -> Callable[[], dict[str, float]]:
    """Seconds of the parts of an epoch of a training in a folder of its own: the mean over epochs that follow each
    other as they do in training, once the caches are full."""
    from mmrl.learn.trainer import Trainer
    from mmrl.runs import store
    from mmrl.runs.history import History
    from mmrl.runs.recorder import Recorder
    from mmrl.training.loop import TrainingProcess
    from mmrl.training.signals import Interruption

    watch = Stopwatch()
    for part in PARTS:
        watch.watch(*part)
    place = tempfile.mkdtemp()
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    config = configured(preset, {**settings, "results": place, "ne": 1_000_000})
    folder = store.begin(config, {}).folder
    process = TrainingProcess(config, {}, folder, NoView(), Interruption())
    trainer = Trainer(config)
    recorder = Recorder(folder, History(folder / "metrics.jsonl"))
    start = getattr(recorder, "start", lambda: None)  # earlier commits write before the rollout
    saving = [recorder.save] if hasattr(recorder, "save") else []

    def epoch() -> dict[str, float]:
        watch.seconds.clear()
        began = time.perf_counter()
        start()
        done = trainer.step(*saving)
        record = {**done.record, "wall": time.time()}
        process._keep(trainer, recorder, done, record)
        process._carry_out_request(trainer, recorder)
        whole = time.perf_counter() - began
        seconds = {"rollout": float(done.record["seconds_rollout"]), **watch.seconds}
        rest = whole - sum(value for part, value in seconds.items() if part not in BESIDE)
        overhead = whole - seconds["rollout"] - float(done.record["seconds_update"])
        return {"epoch": whole, **seconds, "rest": rest, "overhead": overhead}

    def epochs() -> dict[str, float]:
        found: list[dict[str, float]] = []
        seconds_of(epoch, least=STEADY, clock=time.perf_counter)
        seconds_of(lambda: found.append(epoch()), least=STEADY, clock=time.perf_counter)
        recorder.flush()
        means = {part: sum(each.get(part, 0.0) for each in found) / len(found) for part in FIGURES}
        return {**means, "memory": peak_mb()}

    epoch()
    return epochs
