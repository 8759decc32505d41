"""The terminal UI under stress: random keys while runs grow, break and go; killed beside a training process."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import random
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

from mmrl.runs.lock import RunLock, is_locked
from tests.faults.harness import ROOT, TINY, Nursery, newest, wait_until
from tests.tui.conftest import drive, make_run, own_place, record, results
from tests.tui.test_keys import KEYS, NAMES

__all__ = ["own_place", "results"]  # fixtures: settings of nobody, three runs
SIZES = [(80, 24), (120, 36), (200, 60), (100, 30)]


def stress(runs: Path, seed: int) -> list[tuple[float, float]]:
    """One script of 40 random keys; wall and CPU seconds until the screen has taken in each of them."""
    chance, spans = random.Random(seed), []
    live = runs / f"live{seed}"
    for name in ("beta", "gamma"):
        shutil.rmtree(runs / name, ignore_errors=True)
        make_run(runs, name, epochs=17, state="interrupted", episodes=(10,))
    make_run(runs, live.name, epochs=12, state="running")

    async def script(app: Any, pilot: Any) -> None:
        for number in range(40):
            key = chance.choice(KEYS)
            wall, busy = time.perf_counter(), time.process_time()
            await pilot.press(NAMES.get(key, key))
            spans.append((time.perf_counter() - wall, time.process_time() - busy))
            if number % 10 == 3:
                with (live / "metrics.jsonl").open("a") as file:
                    file.write(json.dumps(record(13 + number)) + ("\n" if number % 20 == 3 else ""))
            if number == 15:
                (runs / "beta" / "metrics.jsonl").write_bytes(b"\x00\xff{\n")
                (runs / "beta" / "config.toml").write_bytes(b"[[[")
            if number == 28:
                shutil.rmtree(runs / "gamma", ignore_errors=True)
            if number == 33:
                (live / "status.json").write_text(json.dumps({"state": "finished", "epoch": 12}))

    with RunLock(live):
        drive(runs, script, SIZES[seed % len(SIZES)])
    shutil.rmtree(live)
    return spans


def test_random_keys(
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    figure: Callable[..., None],
    complete: bool,
) -> None:
    monkeypatch.setattr("tui.processes.start", lambda arguments, root: {"pid": 1})
    scripts = 100 if complete else 1
    spans = [span for seed in range(scripts) for span in stress(results, seed)]
    wall, busy = (sorted(1000 * span[k] for span in spans)[int(0.95 * len(spans))] for k in (0, 1))
    figure(19, f"{scripts} scripts of 40 random keys, 80x24 to 200x60, runs growing, breaking, gone: crashes", 0, "0")
    figure(19, "ms until a key is taken in, 95th percentile: wall, CPU", f"{wall:.0f}, {busy:.0f}", "< 100")


@pytest.mark.slow_fault
def test_a_trusting_chart_is_caught(
    results: Path, monkeypatch: pytest.MonkeyPatch, caught: Callable[..., None]
) -> None:
    monkeypatch.setattr("tui.processes.start", lambda arguments, root: {"pid": 1})
    monkeypatch.setattr("tui.watch.Metrics._take", lambda self, line: json.loads(line)["epoch"])
    for seed in range(50):
        try:
            stress(results, seed)
        except ValueError:
            caught(19, f"a chart that trusts every line of metrics: crash in script {seed + 1}")
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


@pytest.mark.slow_fault  # tests/tui kills it once in every run of the tests
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
