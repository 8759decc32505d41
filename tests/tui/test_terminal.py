"""A real terminal, a real training: start it from the form, steer it, kill the UI, and see it go on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import cli
from mmrl.runs.lock import is_locked
from mmrl.runs.status import read_status

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Terminal:
    """A tmux server of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.opened = folder, 0
        self.command = f"{sys.executable} {cli.__file__} tui; echo ended $?; sleep 60"
        self.open()

    def open(self) -> None:
        """The UI in a new window of 120x36, of a new server: one that is going away still answers at its socket."""
        self.opened += 1
        self.socket = str(self.folder / f"tmux{self.opened}")
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "120", "-y", "36", self.command)
        assert self.tmux("list-sessions"), "tmux did not start"

    def tmux(self, *words: str) -> str:
        done = subprocess.run(["tmux", "-S", self.socket, *words], capture_output=True, text=True, timeout=20)
        return done.stdout

    def keys(self, *keys: str) -> None:
        for key in keys:
            self.tmux("send-keys", key)
            time.sleep(0.1)

    def text(self) -> str:
        return self.tmux("capture-pane", "-p")

    def wait(self, what: str, seconds: float = 30) -> str:
        deadline = time.monotonic() + seconds
        while what not in (text := self.text()):
            assert time.monotonic() < deadline, f"not seen within {seconds} s: {what!r} in\n{text}"
            time.sleep(0.1)
        return text

    def pid(self) -> int:
        shell = self.tmux("list-panes", "-F", "#{pane_pid}").strip()
        children = Path(f"/proc/{shell}/task/{shell}/children").read_text().split()
        return int(children[0])


def until(look: Callable[[], str], what: str, seconds: float = 30) -> str:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not seen within {seconds} s: {what}")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    opened = Terminal(tmp_path)
    try:
        yield opened
    finally:
        opened.tmux("kill-server")
        for status in tmp_path.glob("results/*/status.json"):
            if is_locked(status.parent):
                os.kill(json.loads(status.read_text())["pid"], signal.SIGKILL)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="children of a process are read from /proc")
def test_training_from_the_form_and_past_the_death_of_the_ui(terminal: Terminal, tmp_path: Path) -> None:
    terminal.wait("No runs yet")
    terminal.keys("n")
    terminal.wait("$ mmrl train --preset quickstart")
    terminal.tmux("send-keys", "C-f", "ne", "Enter", "2000")  # faster than anybody types
    terminal.wait("-ne 2000")
    terminal.keys("C-w")
    until(lambda: str(next(tmp_path.glob("results/*/metrics.jsonl"), "")), "the first epoch", 60)
    folder = next(tmp_path.glob("results/*/metrics.jsonl")).parent
    terminal.wait("6 Log")
    terminal.wait("▶ training")
    terminal.wait("epochs · follow")
    terminal.keys("e")
    terminal.wait("Learning rate")
    terminal.tmux("send-keys", "0.0015", "Enter")
    terminal.wait("learning rate 0.0015")
    until(lambda: "x" * ('"lr":0.0015' in (folder / "metrics.jsonl").read_text()), "the change noted by the trainer")
    terminal.keys("p")
    terminal.wait("‖ paused")
    terminal.keys("r")
    terminal.wait("▶ training")
    os.kill(terminal.pid(), signal.SIGKILL)
    terminal.wait("ended 137")
    before = (folder / "metrics.jsonl").stat().st_size
    until(lambda: "x" * ((folder / "metrics.jsonl").stat().st_size > before), "epochs after the death of the UI")
    assert is_locked(folder) and read_status(folder)["state"] == "running"
    assert "epoch 1/" in (folder / "log.txt").read_text()

    terminal.tmux("kill-server")  # the window is closed: its programs get SIGHUP
    assert is_locked(folder)
    terminal.open()
    terminal.wait("▶ training")  # another UI finds it
    terminal.keys("Enter")
    terminal.wait("6 Log")
    terminal.wait("learning rate 0.0015")
    terminal.keys("t")
    terminal.wait("Stop ")
    terminal.keys("y")
    terminal.wait("■ stopped")
    assert not is_locked(folder) and read_status(folder)["state"] == "interrupted"
    epochs = read_status(folder)["epoch"]
    terminal.keys("r")  # and goes on where it stood
    terminal.wait("▶ training", 60)
    until(lambda: "x" * (read_status(folder)["epoch"] > epochs), "epochs after it was resumed", 60)
    os.kill(json.loads((folder / "status.json").read_text())["pid"], signal.SIGKILL)
    terminal.wait("! crashed", 10)
    terminal.keys("C-q")
    terminal.wait("ended 0")
