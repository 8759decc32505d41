"""What live charts cost a training run: blocks of epochs with drawing on and off, in one process on a terminal.

python benchmarks/live_cost.py [EPOCHS]

Neighbouring blocks are compared, so that a machine that is busy for a while slows both.
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

BLOCK = 4  # epochs with drawing, then as many without
SIZE = (36, 120)  # rows and columns of the terminal
FIRST = 5  # epochs before this one are not counted: caches fill


def train(epochs: int, seconds_file: Path, results: Path) -> None:
    """Train on the terminal that this process has and note each epoch's seconds, with drawing on or off."""
    from mmrl.display.live import LiveView
    from mmrl.settings.sources import resolve
    from mmrl.training.start import train as run_session

    class Toggled(LiveView):
        """Draws in every other block of epochs."""

        drawing, last = True, 0.0
        seconds: ClassVar[list[tuple[bool, float]]] = []

        def paint(self) -> None:
            if self.drawing:
                super().paint()

        def epoch(self, record: Any) -> None:
            super().epoch(record)
            now = time.perf_counter()
            if record["epoch"] > FIRST:
                self.seconds.append((self.drawing, now - self.last))
            self.last = now
            self.drawing = record["epoch"] // BLOCK % 2 == 0

    settings = {"training.ne": epochs, "run.plot_after": 0, "run.results": str(results)}
    config, origins = resolve(settings, None, "quickstart", {})
    view = Toggled()
    run_session(config, origins, load=None, expand=0, view=view)
    seconds_file.write_text(json.dumps(view.seconds))


def measure(epochs: int) -> np.ndarray:
    """Seconds of each block with drawing over the mean of the blocks beside it."""
    with tempfile.TemporaryDirectory() as folder:
        seconds_file = Path(folder) / "seconds.json"
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", *SIZE, 0, 0))
        command = [sys.executable, __file__, str(epochs), str(seconds_file), f"{folder}/results"]
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
    for drawing, value in seconds:
        if not blocks or blocks[-1][0] != drawing:
            blocks.append((drawing, []))
        blocks[-1][1].append(value)
    median = [float(np.median(values)) for _, values in blocks]
    inner = range(1, len(blocks) - 1)
    return np.array([median[k] / (median[k - 1] + median[k + 1]) * 2 for k in inner if blocks[k][0]])


def main() -> None:
    """Train or measure."""
    if len(sys.argv) == 4:
        train(int(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
        return
    ratio = measure(int(sys.argv[1]) if len(sys.argv) > 1 else 800)
    error = ratio.std() / np.sqrt(len(ratio))
    print(
        f"with live charts an epoch takes {ratio.mean() - 1:+.2%} +- {error:.2%} longer ({len(ratio)} pairs of blocks)"
    )


if __name__ == "__main__":
    main()
