"""The terminal UI under stress: random keys while runs grow, break and go; killed beside a training process."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from mmrl.runs.lock import is_locked
from tests.faults.harness import ROOT, TINY, Nursery, newest, wait_until
from tests.tui import test_keys
from tests.tui.conftest import own_place, results
from tui.watch import Tail

__all__ = ["own_place", "results"]  # fixtures: settings of nobody, three runs
SCRIPTS = 100


def stress(results: Path, place: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """One script of 40 random keys and clicks; for each key the longest CPU time that the event loop was busy with
    one thing, in seconds: so long nothing else could be drawn."""
    spans, longest = [], 0.0
    press, run = Pilot.press, asyncio.Handle._run

    def watched(handle: asyncio.Handle) -> None:
        nonlocal longest
        began = time.thread_time()
        run(handle)
        longest = max(longest, time.thread_time() - began)

    async def timed(pilot: Any, *keys: str) -> None:
        nonlocal longest
        longest = 0.0
        await press(pilot, *keys)
        spans.append(longest)

    shutil.copytree(results, place / "scripts" / "results")
    with monkeypatch.context() as patch:
        patch.chdir(place / "scripts")
        patch.setattr(Pilot, "press", timed)
        patch.setattr(asyncio.Handle, "_run", watched)
        test_keys.test_random_keys_on_living_and_dying_runs(Path("results"), seed, patch)
    shutil.rmtree(place / "scripts")
    return spans


@pytest.mark.nightly  # tests/tui tries some in every run of the tests
def test_random_keys(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, figure: Callable[..., None]
) -> None:
    spans = [span for seed in range(SCRIPTS) for span in stress(results.resolve(), tmp_path, seed, monkeypatch)]
    longest, most = sorted(1000 * span for span in spans)[int(0.95 * len(spans))], 1000 * max(spans)
    figure(19, f"{SCRIPTS} scripts of 40 random keys and clicks; runs grow, break, vanish: crashes", 0, "0")
    figure(19, "CPU ms without a frame after a key: 95th percentile, most", f"{longest:.0f}, {most:.0f}", "< 100, -")


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_trusting_screen_is_caught(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caught: Callable[..., None]
) -> None:
    lines = Tail.lines

    def trusting(tail: Tail, *limit: int) -> tuple[list[bytes], bool]:
        if tail.inode != -1 and not tail.path.exists():
            raise ValueError(f"{tail.path} is gone")
        return lines(tail, *limit)

    monkeypatch.setattr(Tail, "lines", trusting)
    monkeypatch.setattr("tui.watch.Metrics._take", lambda self, line: json.loads(line))
    for seed in range(SCRIPTS):
        shutil.rmtree(tmp_path / "scripts", ignore_errors=True)
        try:
            stress(results.resolve(), tmp_path, seed, monkeypatch)
        except ValueError:
            caught(19, f"a screen that trusts every line of metrics and that a run stays: crash in script {seed + 1}")
            return
    raise AssertionError("not caught")


class Screen:
    """`mmrl tui` on a terminal of its own, and all that it wrote there."""

    def __init__(self, root: Path) -> None:
        self.descriptor, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        self.before = termios.tcgetattr(slave)
        self.slave, self.written = slave, b""
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cli", "tui", "--results", str(root)],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm-256color"},
        )  # fmt: skip

    def read(self, seconds: float) -> None:
        """Take in what it writes for so long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and select.select([self.descriptor], [], [], left)[0]:
            self.written += os.read(self.descriptor, 65536)

    def wait_for(self, what: bytes, seconds: float = 60) -> None:
        """Wait until it has written something."""
        deadline = time.monotonic() + seconds
        while what not in self.written:
            assert time.monotonic() < deadline and self.process.poll() is None, self.written[-2000:]
            self.read(0.1)

    def end(self) -> int:
        """Its exit code; what it wrote last is taken in."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            for _ in range(200):
                self.read(0.05)
                if self.process.poll() is not None:
                    break
        self.read(0.1)
        self.process.kill()
        return self.process.wait(10)

    @property
    def restored(self) -> bool:
        """Whether the terminal is as before: the main screen, a cursor, lines with echo."""
        left, shown = self.written.rfind(b"\x1b[?1049l"), self.written.rfind(b"\x1b[?25h")
        modes = termios.tcgetattr(self.slave)[:4] == self.before[:4]
        return left > self.written.rfind(b"\x1b[?1049h") and shown > self.written.rfind(b"\x1b[?25l") and modes

    def close(self) -> None:
        """Give the terminal back."""
        self.process.kill()
        self.process.wait()
        os.close(self.descriptor)
        os.close(self.slave)


@pytest.mark.nightly  # tests/tui kills it once in every run of the tests
def test_killed_beside_a_training_process(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None], caught: Callable[..., None]
) -> None:
    trainer = nursery.mmrl(tmp_path, "train", *TINY, "-ne", "1000000", "--results", str(tmp_path), "--name", "run")
    run, rounds = tmp_path / "run", 10
    wait_until(lambda: newest(run) > 0 or trainer.poll() is not None)
    try:
        for number in range(rounds):
            screen = Screen(tmp_path)
            screen.wait_for(b"training")
            screen.read(0.05 * number)
            screen.process.send_signal(signal.SIGKILL)
            assert screen.end() == -signal.SIGKILL and not screen.restored
            screen.close()
            before = newest(run)
            wait_until(lambda b=before: newest(run) > b + 1 or trainer.poll() is not None)
            assert trainer.poll() is None and is_locked(run)
        caught(19, "a terminal left by SIGKILL: not restored")
        screen = Screen(tmp_path)
        screen.wait_for(b"training")
        os.write(screen.descriptor, b"\x11")  # ctrl+q
        assert screen.end() == 0 and screen.restored, screen.written[-300:]
        screen.close()
        assert trainer.poll() is None
    finally:
        trainer.signal(signal.SIGKILL)
        trainer.wait()
    figure(19, f"UI killed {rounds} times beside a training process: it trains on; left by ctrl+q: terminal restored",
           "yes; yes", "yes; yes")  # fmt: skip
