"""What live charts and recording cost a training run: blocks of epochs with and without, in one process on a terminal.

python benchmarks/live_cost.py [EPOCHS] [charts] [recording] [nb=TRAJECTORIES] [block=EPOCHS]

Recording is metrics, slot or checkpoint, status and the episodes of the default settings. The means of neighbouring
blocks are compared, so that a machine that is busy for a while slows both. A block has one episode, as 20 epochs of a
training have, and its share of commits and pictures, whose clocks stand still in blocks without.
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

BLOCK = 20  # epochs, as many as between two episodes
SIZE = (36, 120)  # rows and columns of the terminal
FIRST = 5  # epochs before this one are not counted: caches fill
PARTS = ("charts", "recording")


def train(epochs: int, nb: int, block: int, parts: list[str], seconds_file: Path, results: Path) -> None:
    """Train on the terminal that this process has and note each epoch's seconds, with these parts or without."""
    recorders: list[Any] = []
    from mmrl.display.live import LiveView
    from mmrl.runs.recorder import Recorder
    from mmrl.settings.sources import resolve
    from mmrl.training import episode
    from mmrl.training.start import train as run_session

    class Toggled(LiveView):
        """Has them in every other block of epochs."""

        on, last, off_since = True, 0.0, 0.0
        seconds: ClassVar[list[tuple[bool, float]]] = []

        def paint(self) -> None:
            if self.on or "charts" not in parts:
                super().paint()

        def epoch(self, record: Any) -> None:
            super().epoch(record)
            now = time.perf_counter()
            if record["epoch"] > FIRST:
                self.seconds.append((self.on, now - self.last))
            self.last = now
            before, self.on = self.on, (record["epoch"] + block // 2) // block % 2 == 0  # no episode at an end
            if before and not self.on:
                self.off_since = time.monotonic()
            elif self.on and not before:
                off = time.monotonic() - self.off_since
                self._frame._ready += off
                for recorder in recorders:
                    recorder._committed += off

    view = Toggled()
    keep, arrays = Recorder.keep, episode.episode_arrays

    def kept(self: Recorder, *given: Any, **named: Any) -> None:
        recorders[:] = [self]
        if view.on:
            keep(self, *given, **named)

    if "recording" in parts:
        Recorder.keep = kept  # type: ignore
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
    mean = [float(np.mean(values[1:])) for _, values in blocks]  # in a first one the epoch before it is written
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
