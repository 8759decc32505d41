"""What shells complete: the answers themselves, and keys typed into bash, zsh and fish."""

from __future__ import annotations

import os
import pty
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import cli
from mmrl.commands import completion_scripts
from mmrl.runs.store import begin
from mmrl.settings.model import Config

ROOT = Path(__file__).resolve().parents[2]
GOOD = "--results good-results"


def answers(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What the program answers a shell that completes a line."""
    for name, value in (("", "complete_fish"), ("_FISH_ACTION", "get-args"), ("_ARGS", line)):
        monkeypatch.setenv(f"_TYPER_COMPLETE{name}" if name else "_MMRL_COMPLETE", value)
    monkeypatch.setenv("COLUMNS", "400")
    with pytest.raises(SystemExit) as end:
        cli.main([])
    assert not end.value.code
    return [answer.partition("\t")[0] for answer in capsys.readouterr().out.splitlines() if answer]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("mmrl pres", ["presets"]),
        ("mmrl runs re", ["resume", "rename", "restore"]),
        ("mmrl train --preset quick", ["quickstart"]),
        ("mmrl train --inventory-p", ["--inventory-penalty"]),
        ("mmrl train --utility ca", ["cara"]),
        ("mmrl train --set util", ["utility="]),
        ("mmrl train --set reward.util", ["reward.utility="]),
        ("mmrl train --set utility=c", ["utility=custom", "utility=cara"]),
        ("mmrl train --set uniform=", ["uniform=true", "uniform=false"]),
        ("mmrl evaluate --agent gl", ["glft", "glft-asymptotic"]),
        ("mmrl evaluate --market or", ["order-flow"]),
        ("mmrl agents cart", ["cartea-jaimungal"]),
        ("mmrl plot --metric optim", ["optimality"]),
        ("mmrl calibrate --format bi", ["binance", "binance-csv", "bitstamp"]),
        ("mmrl runs change RUN ", ["lr=", "entropy=", "ne=", "plot_after="]),
        (f"mmrl plot {GOOD} quick", ["quickstart"]),
        (f"mmrl runs show {GOOD} av", ["avellaneda-stoikov-ppo"]),
        (f"mmrl config {GOOD} order-flow-f", ["order-flow-fast"]),
        ("mmrl train --config ", []),
    ],
)
def test_answers(
    line: str, expected: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert answers(line, monkeypatch, capsys) == expected


def test_groups_and_the_trash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "good-results" / "quickstart", tmp_path / "one")
    shutil.copytree(tmp_path / "one", tmp_path / ".trash" / "gone.5")
    begin(Config.of("quickstart", results=str(tmp_path)), {}, group="many").release()
    (member,) = {path.name for path in tmp_path.iterdir()} - {"one", ".trash"}
    assert answers(f"mmrl runs stop --results {tmp_path} ", monkeypatch, capsys) == sorted(["many", "one", member])
    assert answers(f"mmrl runs restore --results {tmp_path} ", monkeypatch, capsys) == ["gone"]


def test_what_is_wrong_ends_no_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    for line in (
        "mmrl plot --results /nowhere ",
        "mmrl runs stop --results /nowhere ",
        "mmrl runs restore --results ~x/ ",
    ):
        assert answers(line, monkeypatch, capsys) == []


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a command `mmrl`, and the scripts as files."""
    folder = tmp_path_factory.mktemp("bin")
    (folder / "mmrl").write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m mmrl "$@"\n')
    (folder / "mmrl").chmod(0o755)
    for shell in ("bash", "zsh", "fish"):
        (folder / shell).write_text(getattr(completion_scripts, shell.upper()).lstrip())
    return folder


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_scripts_are_what_the_program_shows(shell: str, command: Path) -> None:
    shown = subprocess.run(
        [command / "mmrl", "--show-completion", shell],
        env={**os.environ, "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert shown.stdout.strip() == (command / shell).read_text().strip()


class Shell:
    """A shell at a terminal, into which keys are typed."""

    def __init__(self, arguments: list[str], env: dict[str, str]) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.chdir(ROOT)
            os.execvpe(arguments[0], arguments, {**os.environ, "TERM": "dumb", "PS1": "> ", "COLUMNS": "200", **env})

    def until(self, keys: str, pattern: str) -> str:
        """Type keys and read until what is shown has a pattern."""
        os.write(self.terminal, keys.encode())
        shown, end = "", time.monotonic() + 60
        while not re.search(pattern, shown):
            assert time.monotonic() < end, shown
            if select.select([self.terminal], [], [], 0.5)[0]:
                shown += os.read(self.terminal, 65536).decode(errors="replace").replace("\x07", "").replace("\r", "")
        return shown

    def close(self) -> None:
        os.close(self.terminal)
        os.waitpid(self.pid, 0)


@pytest.fixture(params=["bash", "zsh"])
def shell(request: pytest.FixtureRequest, command: Path, tmp_path: Path) -> Iterator[Shell]:
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"{request.param} is not installed")
    arguments = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"]}[request.param]
    found = Shell([program, *arguments], {"PATH": f"{command}:{os.environ['PATH']}", "HOME": str(tmp_path)})
    ready = "" if request.param == "bash" else "autoload -Uz compinit; compinit -u -D; "
    found.until(f"{ready}source {command / request.param}; echo is ready | tr a-z A-Z\n", "IS READY")
    yield found
    found.close()


def test_keys_in_bash_and_zsh(shell: Shell) -> None:
    """TAB completes the word in place; a blank follows what is whole, none an =."""
    for typed, completed in (
        ("mmrl train --preset quick", "quickstart "),
        ("mmrl train --set lr_e", "lr_end="),
        ("mmrl train --set utility=ca", "utility=cara "),
        (f"mmrl quote {GOOD} ave", "avellaneda-stoikov-ppo "),
    ):
        word = typed.split()[-1]
        line = re.escape(typed.removesuffix(word) + completed)
        shell.until(f"{typed}\t", f"{line}|{re.escape(typed)}{re.escape(completed[len(word) :])}")
        if completed.endswith("="):
            shell.until("7\n", r"training\.lr_end = 7\.0 is not allowed")
        else:
            shell.until("\x15echo done | tr a-z A-Z\n", "DONE")


def test_fish(command: Path, tmp_path: Path) -> None:
    fish = shutil.which("fish")
    if fish is None:
        pytest.skip("fish is not installed")
    lines = ("train --set util", "train --set utility=ca", "train --preset quick", "train --config good-results/q")
    ask = "; ".join(f"complete -C 'mmrl {line}'" for line in lines)
    found = subprocess.run(
        [fish, "--no-config", "-c", f"source {command / 'fish'}; {ask}"], cwd=ROOT,
        env={**os.environ, "PATH": f"{command}:{os.environ['PATH']}", "HOME": str(tmp_path)},
        capture_output=True, text=True, check=True, timeout=120,
    ).stdout.splitlines()  # fmt: skip
    names = [line.partition("\t")[0] for line in found]
    assert names == ["utility=", "utility=cara", "quickstart", "good-results/quickstart/"]
    assert "What is maximised" in found[0]
