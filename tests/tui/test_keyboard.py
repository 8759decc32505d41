"""How keys arrive from a terminal."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any

import pytest
from textual.events import Key
from textual.messages import TerminalSupportsSynchronizedOutput

import tui
from tui.app import MmrlApp

pty: Any = pytest.importorskip("pty")
pytestmark = pytest.mark.skipif(os.name == "nt", reason="terminals of Windows have a driver of their own")


class Typist:
    """A keyboard that reads a pipe, and what it hands on."""

    def __init__(self) -> None:
        from tui.keyboard import Keyboard

        typed, self.hand = os.pipe()
        self.messages: list[Any] = []
        self.keyboard = object.__new__(Keyboard)
        self.ends: list[Any] = []
        app = SimpleNamespace(call_later=self.ends.append, exit="exit")
        self.keyboard.__dict__.update(fileno=typed, exit_event=Event(), _debug=False, _app=app)
        self.keyboard.process_message = self.messages.append  # type: ignore[method-assign, assignment]
        self.thread = Thread(target=self.keyboard.run_input_thread)
        self.thread.start()

    def keys(self, count: int) -> list[str]:
        """Names of so many keys; of fewer where no more come."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and len(self.messages) < count:
            time.sleep(0.005)
        return [message.key for message in self.messages if isinstance(message, Key)]

    def over(self) -> None:
        self.keyboard.exit_event.set()
        self.thread.join(10)
        assert not self.thread.is_alive()
        os.close(self.keyboard.fileno)


@pytest.fixture
def typist() -> Iterator[Typist]:
    one = Typist()
    yield one
    one.over()
    os.close(one.hand)


def test_escape_alone_is_a_key_without_another_one(typist: Typist) -> None:
    os.write(typist.hand, b"\x1b")
    assert typist.keys(1) == ["escape"]


def test_escape_in_front_of_other_bytes_is_their_key(typist: Typist) -> None:
    os.write(typist.hand, b"\x1b[A\x1b[1;5Cq")
    assert typist.keys(3) == ["up", "ctrl+right", "q"]
    os.write(typist.hand, b"\x1b")
    assert typist.keys(4) == ["up", "ctrl+right", "q", "escape"]


def test_a_letter_may_come_in_two_parts_and_no_byte_ends_the_program(typist: Typist) -> None:
    first, second = "é".encode()[:1], "é".encode()[1:]
    os.write(typist.hand, first)
    time.sleep(0.05)
    os.write(typist.hand, second + b"x\xff")
    typist.keys(3)
    found = [message.character for message in typist.messages]
    assert found[:2] == ["é", "x"]
    os.write(typist.hand, b"y")
    typist.keys(len(found) + 1)
    assert typist.messages[-1].character == "y"


def test_without_its_terminal_the_program_ends() -> None:
    gone = Typist()
    assert gone.thread.is_alive()
    os.close(gone.hand)
    gone.thread.join(10)
    assert gone.ends == ["exit"]
    gone.over()


def test_the_program_ends_when_its_terminal_is_closed(tmp_path: Path) -> None:
    """Where nobody hangs up: the terminal is not the one that controls the program."""
    ours, theirs = pty.openpty()
    root = Path(tui.__file__).parents[1]
    command = [sys.executable, str(root / "cli.py"), "tui"]
    environment = {**os.environ, "TERM": "xterm-256color", "XDG_CONFIG_HOME": str(tmp_path)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        seen, deadline = b"", time.monotonic() + 30
        while len(seen) < 2_000 and time.monotonic() < deadline:
            if select.select([ours], [], [], 0.1)[0]:
                seen += os.read(ours, 65536)
        os.close(ours)
        try:
            assert len(seen) >= 2_000, seen
            assert process.wait(30) == 0
        finally:
            process.kill()


def test_what_a_terminal_answers_is_no_key(typist: Typist) -> None:
    os.write(typist.hand, b"\x1b[?2026;2$y")
    typist.keys(1)
    assert isinstance(typist.messages[0], TerminalSupportsSynchronizedOutput)


def test_the_program_reads_a_terminal_so_and_leaves_other_drivers_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEXTUAL_DRIVER", raising=False)
    assert MmrlApp().get_driver_class().__name__ == "Keyboard"
    monkeypatch.setattr("textual.constants.DRIVER", "textual.drivers.web_driver:WebDriver")
    assert MmrlApp().get_driver_class().__name__ == "WebDriver"


@pytest.mark.parametrize(("asked", "seconds"), [(None, 0.025), ("250", 0.25)])
def test_escape_is_waited_for_a_moment_or_as_long_as_the_user_says(asked: str | None, seconds: float) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ESCDELAY"}
    environment |= {"ESCDELAY": asked} if asked else {}
    code = "import tui.app, textual.constants; print(textual.constants.ESCAPE_DELAY)"
    root = Path(tui.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == seconds
