"""What follows a command: how mmrl was called, where its runs are, and commands that fit the state of the run."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mmrl.runs import following
from mmrl.runs.following import called, command, lines, shown_path, steps
from mmrl.runs.status import STATES


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment with mmrl in .venv/bin, from whose parent it is called."""
    program = tmp_path / ".venv" / "bin" / "mmrl"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    for variable in ("MMRL_RESULTS", following.CALLED, "UV_RUN_RECURSION_DEPTH"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(sys, "argv", [".venv/bin/mmrl", "train", "-ne", "3"])
    monkeypatch.setattr(sys, "orig_argv", ["python", ".venv/bin/mmrl", "train", "-ne", "3"])
    return tmp_path


def test_a_program_that_the_shell_does_not_find_is_named_as_it_was_typed(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert called() == [".venv/bin/mmrl"]
    monkeypatch.setenv("PATH", f"{here / '.venv' / 'bin'}{os.pathsep}/usr/bin")
    monkeypatch.setattr(sys, "argv", [str(here / ".venv" / "bin" / "mmrl"), "train"])
    assert called() == ["mmrl"]
    monkeypatch.setenv("UV_RUN_RECURSION_DEPTH", "1")
    assert called() == ["uv", "run", "mmrl"]
    monkeypatch.setenv(following.CALLED, "'/my venv/bin/mmrl'")
    assert called() == ["/my venv/bin/mmrl"]


def test_a_module_is_named_with_its_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["/site/mmrl/__main__.py", "train", "-ne", "3"])
    monkeypatch.setattr(sys, "orig_argv", ["python3.12", "-P", "-m", "mmrl", "train", "-ne", "3"])
    assert called() == ["python3.12", "-P", "-m", "mmrl"]


def test_the_folder_of_runs_is_named_where_it_is_not_looked_into_anyway(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(following.CALLED, "mmrl")
    assert command(["plot", "a"], here / "results") == "mmrl plot a"
    assert command(["plot", "a"], here / "my runs") == "mmrl plot a --results 'my runs'"
    assert command(["plot", "a"], Path("/elsewhere")) == "mmrl plot a --results /elsewhere"
    monkeypatch.setenv("MMRL_RESULTS", "results")  # perhaps for this command only
    assert command(["plot", "a"], here / "results") == "mmrl plot a --results results"
    assert shown_path(here / "results" / "a") == "results/a"


@pytest.mark.parametrize(
    ("state", "epoch", "known", "wanted"),
    [
        ("finished", 5, {"target": 5, "agent": "naive"}, [
            "mmrl train --load a --expand 5", "mmrl plot a", "mmrl evaluate a --agent naive"]),
        ("interrupted", 3, {"target": 5}, ["mmrl train --load a", "mmrl plot a", "mmrl evaluate a"]),
        ("failed", 0, {}, ["mmrl train --load a", "mmrl runs show a"]),
        ("diverged", 3, {"lr": 0.01}, ["mmrl train --load a -lr 0.005", "mmrl plot a", "mmrl evaluate a"]),
        ("running", 0, {}, ["mmrl runs attach a", "mmrl runs stop a", "mmrl runs show a"]),
        ("broken", 3, {}, ["mmrl runs doctor a"]),
    ],
)  # fmt: skip
def test_every_state_has_its_steps(
    state: str, epoch: int, known: dict[str, object], wanted: list[str], here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(following.CALLED, "mmrl")
    found = steps(here / "results" / "a", state, epoch, **known)  # type: ignore[arg-type]
    assert [text for _, text in found] == wanted
    assert [line.split("  ")[-1].strip() for line in lines(found)] == wanted


def test_no_state_is_without() -> None:
    assert all(len(steps(Path("results/a"), state, 1)) >= 2 for state in STATES)
