"""The live view on a real terminal (tmux): it draws at 80x24, follows a resize, and Ctrl-C gives the terminal back."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = ["-nt", "40", "-nb", "8", "--layer-size", "8", "--set", "minibatches=2", "--threads", "2"]

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed: no terminal to draw on")


class Terminal:
    """A tmux session of its own, with one shell in it."""

    def __init__(self, socket: Path, width: int, height: int) -> None:
        self.socket = socket
        # a shell without start-up files, so that the machine's own settings do not matter
        self("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), "env", "PS1=$ ", "sh")

    def __call__(self, *arguments: str) -> str:
        environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX", "COLUMNS", "LINES")}
        command = ["tmux", "-u", "-S", str(self.socket), *arguments]
        done = subprocess.run(
            command,
            capture_output=True,
            encoding="utf-8",
            timeout=30,
            cwd=ROOT,
            env={**environment, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT)},
        )
        return done.stdout

    def type(self, command: str) -> None:
        self("send-keys", "-l", command)
        self("send-keys", "Enter")

    def screen(self) -> list[str]:
        return self("capture-pane", "-p").split("\n")[:-1]

    def fact(self, name: str) -> str:
        return self("display-message", "-p", f"#{{{name}}}").strip()

    def wait(self, true: Callable[[list[str]], bool], seconds: float = 120) -> list[str]:
        """The screen as soon as something is true of it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            screen = self.screen()
            if true(screen):
                return screen
            time.sleep(0.1)
        raise AssertionError("\n".join(self.screen()))


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    session = Terminal(tmp_path / "tmux", 80, 24)
    yield session
    session("kill-server")


def command(folder: Path, *more: str) -> str:
    arguments = ["train", *SETTINGS, "-ne", "1000000", "--results", str(folder), "--name", "run", *more]
    return shlex.join([sys.executable, "-m", "cli", *arguments])


def says(screen: list[str], text: str) -> bool:
    """Whether a text stands on the screen, wherever its lines are broken."""
    return "".join(text.split()) in "".join("".join(screen).split())


def drawn(screen: list[str]) -> bool:
    text = "\n".join(screen)
    return "epoch" in screen[-1] and any("\u2801" <= letter <= "\u28ff" for letter in text)


@pytest.mark.slow
def test_live_view(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type(f"{command(tmp_path)}; echo exit=$?; stty -a | tr ' ;' '\\n\\n' | grep -x -e echo -e icanon | wc -l")
    screen = terminal.wait(drawn)
    assert len(screen) == 24
    for title in ("reward (currency)", "inventory (shares)", "spread (currency)"):
        assert any(title in row for row in screen)
    assert screen[-1].startswith("epoch ")
    assert "steps/s" in screen[-1]
    assert terminal.fact("alternate_on") == "1"

    for width, height in ((120, 36), (200, 60), (40, 10), (80, 24)):
        terminal("resize-window", "-x", str(width), "-y", str(height))
        screen = terminal.wait(lambda s, h=height: len(s) == h and s[-1].startswith("epoch ") and drawn(s), 20)  # type: ignore[misc]
        assert sum("epoch " in row and "/1000000" in row for row in screen) == 1

    terminal("send-keys", "C-c")
    screen = terminal.wait(lambda s: any(row.startswith("exit=") for row in s) and s.count("2") == 1, 60)
    assert "exit=130" in screen
    assert says(screen, "stopped after epoch") and says(screen, "go on ")
    assert terminal.fact("alternate_on") == "0"
    assert terminal.fact("cursor_flag") == "1"
    assert terminal.fact("wrap_flag") == "1"

    # the same command goes on, and shows the earlier epochs at once
    done = (tmp_path / "run" / "metrics.jsonl").read_text().count("\n")
    terminal.type(f"clear; {command(tmp_path)}")
    screen = terminal.wait(drawn)
    assert int(screen[-1].split()[1].split("/")[0]) >= done
    terminal("send-keys", "C-c")
    terminal.wait(lambda s: terminal.fact("alternate_on") == "0", 60)


def test_ctrl_z_gives_the_terminal_back_until_fg(terminal: Terminal, tmp_path: Path) -> None:
    terminal.type(command(tmp_path / "runs"))
    terminal.wait(drawn)
    terminal("send-keys", "C-z")
    terminal.wait(lambda screen: any("Stopped" in line for line in screen), 20)
    assert (terminal.fact("alternate_on"), terminal.fact("cursor_flag")) == ("0", "1")
    terminal.type("bg")
    time.sleep(1.0)  # four pictures' time: a job in the background draws none
    assert not drawn(terminal.screen()) and terminal.fact("alternate_on") == "0"
    terminal.type("fg")
    terminal.wait(drawn, 20)
    assert terminal.fact("alternate_on") == "1"
    terminal("send-keys", "C-c")
    screen = terminal.wait(lambda screen: says(screen, "stopped after epoch"), 20)
    assert terminal.fact("alternate_on") == "0", screen


def test_piped_is_plain_and_json_is_pure(tmp_path: Path) -> None:
    arguments = [sys.executable, "-m", "cli", "train", *SETTINGS, "-ne", "3", "--name", "run"]
    plain = subprocess.run(
        [*arguments, "--results", str(tmp_path / "a")], capture_output=True, encoding="utf-8", timeout=300, cwd=ROOT
    )
    lines = plain.stdout.splitlines()
    assert lines[0] == "run  book, ppo"
    assert lines[1].startswith("epoch 1/3")
    assert lines[-2].startswith("epoch 3/3")
    assert lines[-1].startswith(f"{tmp_path / 'a' / 'run'}: finished after epoch 3")
    assert "\x1b" not in plain.stdout + plain.stderr
    pure = subprocess.run(
        [*arguments, "--results", str(tmp_path / "b"), "--json"],
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        cwd=ROOT,
    )
    assert [line[0] + line[-1] for line in pure.stdout.splitlines()] == ["{}"] * 4
