"""What the system or the command line gives to a command: room for its libraries, one folder of runs, plain text."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from cli import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("limit, command", [(0.95e9, "train"), (0.5e9, "quote"), (0.4e9, "simulate")])
def test_a_command_whose_libraries_do_not_fit_is_refused_at_once(limit: float, command: str, tmp_path: Path) -> None:
    words = {
        "train": ["train", "-nb", "4", "-nt", "50", "-ne", "1"],
        "quote": ["quote", "x"],
        "simulate": ["simulate", "--market", "order-flow", "--events", "9", "-o", "t"],
    }[command]
    done = subprocess.run(
        [sys.executable, "-P", "-m", "mmrl", *words], cwd=tmp_path, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (int(limit), int(limit))),
    )  # fmt: skip
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert f"mmrl {command} needs " in done.stderr and "raise its limit (ulimit -v)" in done.stderr
    assert not any(tmp_path.iterdir())


def test_without_a_command_the_help_page_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for words in ([], ["runs"]):
        with pytest.raises(SystemExit) as ended:
            main(words)
        out, err = capsys.readouterr()
        assert ended.value.code == 2 and "Usage: mmrl" in out + err and "Commands" in out + err


def test_results_beside_a_run_that_is_a_path_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    run = str(ROOT / "good-results" / "quickstart")
    for words in (["train", "--load", run, "--dry-run"], ["plot", run], ["runs", "show", run], ["quote", run]):
        with pytest.raises(SystemExit) as ended:
            main([*words, "--results", "other"])
        assert ended.value.code == 2
        assert f"--results other has no effect beside {run}, a path: drop one" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["runs", "show", run, "--results", str(ROOT / "good-results")])
    assert ended.value.code == 0


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--config", "bad.toml", "--dry-run"],
        ["train", "--set", "a\x1b[2Jb=1", "--dry-run"],
        ["plot", "--results", "a\x1b]0;b\x07"],
        ["runs", "list", "--columns", "a\u202eb"],
        ["runs", "list", "--results", "a\x1b[31mb\nc"],
        ["calibrate", "a\x1b[31mb", "--market", "book"],
        ["train", "--a\x1b[31mb"],
    ],
)
def test_no_message_moves_the_cursor(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text('[training]\n"l\\u001b]0;pwn\\u0007r\\u202e" = 1\n')
    with pytest.raises(SystemExit):
        main(words)
    said = "".join(capsys.readouterr())
    assert said.count("\n") == 1 and said.rstrip("\n").isprintable()


@pytest.mark.parametrize("place", ["${HOME", "a/${NOPE/b", "$NOPE", "${NOPE}"])
def test_a_path_with_half_a_variable_is_refused(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["train", "--results", place, "--dry-run"])
    assert ended.value.code == 2 and "there is no variable $" in capsys.readouterr().err and not any(tmp_path.iterdir())
