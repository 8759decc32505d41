"""What live charts and recording cost a training run: blocks of epochs with and without, in one process on a terminal.

python benchmarks/live_cost.py [EPOCHS] [charts] [recording] [nb=TRAJECTORIES] [block=EPOCHS]

Recording is metrics, copy of the state, slot or checkpoint, status and the episodes of the default settings. The means
of neighbouring blocks are compared: they are short, so that a machine that is busy for a while slows both, and of a
length with which half of the episodes are in blocks with (4, 8, 12 or 20 epochs where every 20th has one). The clocks
by which commits and pictures are due stand still in blocks without.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

BLOCK = 4  # epochs
SIZE = (36, 120)  # rows and columns of the terminal
FIRST = 5  # epochs before this one are not counted: caches fill
PARTS = ("charts", "recording")


def train(epochs: int, nb: int, block: int, parts: list[str], seconds_file: Path, results: Path) -> None:
    """Train on the terminal that this process has and note each epoch's seconds, with these parts or without."""
    from mmrl.display.live import LiveView
    from mmrl.learn.trainer import Trainer
    from mmrl.runs.recorder import Recorder
    from mmrl.settings.sources import resolve
    from mmrl.training import episode
    from mmrl.training.loop import TrainingProcess
    from mmrl.training.start import train as run_session

    class Toggled(LiveView):
        """Has them in every other block of epochs."""

        on, last, off_since = True, 0.0, 0.0
        seconds: ClassVar[list[tuple[bool, float]]] = []

        def paint(self) -> None:
            if self.on or "charts" not in parts:
                super().paint()

        def trained(self, number: int, recorder: Any) -> None:
            """An epoch is trained and about to be recorded and shown: what that takes, also while the next one is
            trained, is in the time from here until then."""
            now = time.perf_counter()
            if number > FIRST:
                self.seconds.append((self.on, now - self.last))
            before, self.on = self.on, (number + block // 2) // block % 2 == 0
            self.last = now
            if before and not self.on:
                self.off_since = now
            elif self.on and not before:
                self._frame._ready += now - self.off_since
                recorder._committed += now - self.off_since

    view = Toggled()
    work, keep, arrays, state = TrainingProcess._keep, Recorder.keep, episode.episode_arrays, Trainer.state_dict

    def watched(self: Any, trainer: Any, recorder: Any, epoch: Any, record: Any) -> None:
        view.trained(epoch.number, recorder)
        work(self, trainer, recorder, epoch, record)

    TrainingProcess._keep = watched  # type: ignore
    if "recording" in parts:
        Recorder.keep = lambda *given, **named: keep(*given, **named) if view.on else None  # type: ignore
        Trainer.state_dict = lambda self: state(self) if view.on else {}  # type: ignore
        episode.episode_arrays = lambda *given: arrays(*given) if view.on else {}
    settings = {"training.ne": epochs, "training.nb": nb, "run.results": str(results)}
    config, origins = resolve(settings, None, "quickstart", {})
    run_session(config, origins, load=None, expand=0, view=view)
    seconds_file.write_text(json.dumps(view.seconds))


def measure(epochs: int, nb: int, block: int, parts: list[str]) -> np.ndarray:
    """Seconds of each block with these parts over the mean of the blocks beside it."""
    with tempfile.TemporaryDirectory() as folder:
        seconds_file = Path(folder) / "seconds.json"
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
        given = [str(epochs), str(nb), str(block), ",".join(parts), str(seconds_file), f"{folder}/results"]
        command = [sys.executable, __file__, *given]
        environment = {**os.environ, "TERM": "xterm-256color"}
        child = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
        os.close(slave)
        try:
            while os.read(master, 2**16):
                pass
        except OSError:  # the child has closed the terminal
            pass
        child.wait()
        seconds = json.loads(seconds_file.read_text())
    blocks: list[tuple[bool, list[float]]] = []
    for on, value in seconds:
        if not blocks or blocks[-1][0] != on:
            blocks.append((on, []))
        blocks[-1][1].append(value)
    mean = [float(np.mean(values)) for _, values in blocks]
    inner = range(1, len(blocks) - 1)
    return np.array([mean[k] / (mean[k - 1] + mean[k + 1]) * 2 for k in inner if blocks[k][0]])


def main() -> None:
    """Train or measure."""
    if len(sys.argv) == 7:
        _, epochs, nb, length, what, seconds_file, results = sys.argv
        train(int(epochs), int(nb), int(length), what.split(","), Path(seconds_file), Path(results))
        return
    chosen = [part for part in PARTS if part in sys.argv] or list(PARTS)
    asked = dict(word.split("=") for word in sys.argv[1:] if "=" in word)
    count = next((int(word) for word in sys.argv[1:] if word.isdigit()), 2460)
    ratio = measure(count, int(asked.get("nb", 100)), int(asked.get("block", BLOCK)), chosen)
    error = ratio.std() / np.sqrt(len(ratio))
    print(
        f"with {' and '.join(chosen)} an epoch takes {ratio.mean() - 1:+.2%} +- {error:.2%} longer ({len(ratio)} pairs)"
    )


if __name__ == "__main__":
    main()
