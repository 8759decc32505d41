"""Lines of README and docs/start.md can be typed in a clone: understood, runs found, nothing absent needed."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

import cli
from mmrl.runs.config_file import read_config
from mmrl.runs.history import read_metrics
from mmrl.runs.listing import find_run
from mmrl.runs.store import MARKET

ROOT = Path(__file__).resolve().parents[2]
COMMAND: Any = cli.app.program()
LINES = [
    shlex.split(line.partition(" > ")[0], comments=True)[1:]
    for page in ("README.md", "docs/start.md")
    for block in re.findall(r"^```\n(.*?)^```", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
    if line.startswith("mmrl ")
]


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_a_line_of_readme(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    command, rest = COMMAND, words
    while hasattr(command, "commands"):
        command, rest = command.commands[rest[0]], rest[1:]
    context = command.make_context(command.name, list(rest), resilient_parsing="--help" in rest)
    named = context.params.get("runs") or context.params.get("run") or ()
    for run in [named] if isinstance(named, str) else named:
        find_run(run, "results")
    made = {f"tape_{what}_10.csv" for what in ("message", "orderbook")}
    assert set(context.params.get("data") or ()) <= made  # of the line above
    assert not str(context.params.get("save") or "").endswith((".png", ".pdf")), "matplotlib is an extra"


def test_there_are_lines_and_data_are_made_before_they_are_read() -> None:
    commands = [words[0] for words in LINES]
    assert len(LINES) > 12 and commands.index("simulate") < commands.index("calibrate")
    assert commands.index("calibrate") < next(k for k, words in enumerate(LINES) if "--market-file" in words)


def ends(words: list[str]) -> None:
    """Run a command, which must end well."""
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert not ended.value.code, words


@pytest.mark.slow
def test_the_tape_that_is_made_is_fitted_trained_on_and_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for words in [words for words in LINES if words[0] in ("simulate", "calibrate")]:
        ends(words)
    file = (tmp_path / "market.toml").read_bytes()
    fitted = tomllib.loads(file.decode())
    small = ["-nt", "20", "-nb", "4", "-ne", "2", "--threads", "1", "--name", "fitted"]
    ends([*next(words for words in LINES if "--market-file" in words), *small])
    (tmp_path / "market.toml").unlink()  # the run has its own copy
    ends(["train", "--load", "fitted", "--expand", "1"])
    folder = tmp_path / "results" / "fitted"
    assert (folder / MARKET).read_bytes() == file
    config = read_config(folder).config
    assert list(config.market.limit_rates) == fitted["market"]["limit_rates"]  # type: ignore[attr-defined]
    assert [row["epoch"] for row in read_metrics(folder / "metrics.jsonl")] == [1, 2, 3]
    capsys.readouterr()
    ends(["runs", "show", "fitted"])
    assert "tape_message_10.csv" in capsys.readouterr().out
