"""What stands in the pages can be typed: commands are understood, code runs, files and keys are those of a real run."""

from __future__ import annotations

import importlib.util
import io
import re
import shlex
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cli
from mmrl.runs.control import LIVE
from mmrl.runs.manifest import SCHEMA, read_manifest
from mmrl.runs.status import STATES, read_raw

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
COMMAND: Any = cli.app.program()
ELSEWHERE = {
    "library.md": "tests/docs/test_library_page.py",
    "README.md": "tests/docs/test_library_page.py",
    "add-a-market.md": "tests/markets/test_add_a_market.py",
}
"""Pages whose Python is run, or compared with files, by other tests."""


def blocks(page: Path) -> list[tuple[str, str]]:
    """The fenced blocks of a page: language and text."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def shell_lines(page: Path) -> list[str]:
    """The commands in the shell blocks of a page, without their comments."""
    lines = [
        line
        for kind, text in blocks(page)
        if kind in ("", "sh", "bash")
        for line in text.replace("\\\n", "").splitlines()
    ]
    typed = [re.sub(r"(^|\s)#.*", "", line) for line in lines]
    parts = [part.strip().removeprefix("do ") for line in typed for part in re.split(r"&&|\||;(?=\s)", line)]
    return [part for part in parts if part and part != "done" and not part.startswith("for ")]


def commands(page: Path) -> list[list[str]]:
    """The words of every command of mmrl on a page, without the program's name."""
    lines = [line.partition(" > ")[0] for line in shell_lines(page) if line.startswith("mmrl ")]
    return [shlex.split(line, comments=True)[1:] for line in lines]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_are_understood(page: Path) -> None:
    for words in commands(page):
        if "toy" in words:  # a market of a package that is not installed: tests/markets/test_add_a_market.py
            continue
        command, rest = COMMAND, words
        while hasattr(command, "commands"):
            assert rest[0] in command.commands, words
            command, rest = command.commands[rest[0]], rest[1:]
        command.make_context(command.name, list(rest), resilient_parsing="--help" in rest)


def test_every_page_is_reached() -> None:
    """From the site's navigation; and no page has Python that no test knows."""
    navigation = (ROOT / "mkdocs.yml").read_text().partition("\nnav:")[2]
    assert sorted(re.findall(r": ([\w-]+\.md)$", navigation, re.MULTILINE)) == sorted(
        page.name for page in PAGES if page.parent.name == "docs"
    )
    python = {page.name for page in PAGES if any(kind == "python" for kind, _ in blocks(page))}
    assert python == {*ELSEWHERE, *RUN}
    assert all((ROOT / test).is_file() for test in ELSEWHERE.values())


RUN = {"own-agent.md": "gymnasium", "run-folder.md": "numpy"}
"""Pages whose Python is run here, and what it needs."""


@pytest.mark.parametrize("name", RUN)
def test_code_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if importlib.util.find_spec(RUN[name]) is None:
        pytest.skip(f"{RUN[name]} is not installed")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good-results").symlink_to(ROOT / "good-results")
    names: dict[str, object] = {}
    printed = io.StringIO()
    with redirect_stdout(printed):
        for kind, block in blocks(ROOT / "docs" / name):
            if kind == "python":
                exec(compile(block, f"docs/{name}", "exec"), names)
    said = printed.getvalue()
    if name == "own-agent.md":  # the rule earns what the symmetric maker does with half of its risk
        value, deviation = map(float, re.findall(r"value ([\d.]+), deviation ([\d.]+)", said)[0])
        assert 50 < value < 60 and deviation < 9, said
        one, other = re.findall(r"\[\s*([\d.]+)\s+([\d.]+)\s*\]", said)[-2:]
        assert one == other == ("0.81666667", "0.51666667"), said  # 2/3 + 0.15, 2/3 - 0.15


def ran(words: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(words)
    assert not end.value.code, words


def test_the_charts_of_the_tutorial(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    said = {}
    for words in commands(ROOT / "docs" / "charts.md"):
        ran(words)
        said[" ".join(words)] = capsys.readouterr().out
    assert len(said) == 5
    for line, text in said.items():
        expected = "optimality" if "optimality" in line else "bid" if "--quotes" in line else "inventory"
        assert expected in text, line


@pytest.mark.nightly
def test_the_first_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The whole tutorial, as it is typed."""
    monkeypatch.chdir(tmp_path)
    typed = commands(ROOT / "docs" / "first-run.md")
    said = []
    for words in typed:
        ran(words)
        said.append(capsys.readouterr().out)
    evaluated = said[[words[0] for words in typed].index("evaluate")]
    value = {row.split()[0]: row for row in evaluated.splitlines() if row.strip()}
    assert {"first", "symmetric", "avellaneda-stoikov", "optimum"} <= set(value), evaluated
    assert (tmp_path / "first.npz").is_file() and (tmp_path / "results" / "timid").is_dir()


def test_the_page_of_the_run_folder() -> None:
    """Files, keys and arrays of shipped runs are all on it, and the schema is the present one."""
    page = (ROOT / "docs" / "run-folder.md").read_text()
    assert f"the number `schema`, now {SCHEMA}." in page
    assert [state for state in STATES if state not in page] == []
    assert [name for name in LIVE if not re.search(rf"\b{name}\b", page)] == []
    for run in ("quickstart", "avellaneda-stoikov-ppo", "order-flow-fast"):
        folder = ROOT / "good-results" / run
        for path in folder.iterdir():
            assert f"`{path.name}" in page, path.name
        manifest = read_manifest(folder)
        for key in {*manifest, *manifest["checkpoints"][0], *manifest["versions"], *read_raw(folder)} - {"digest"}:
            assert re.search(rf"\b{key}\b", page), key
        with np.load(max((folder / "episodes").glob("*.npz"))) as arrays:
            for name in arrays.files:
                stem, _, part = name.rpartition("_")
                over = part in ("mean", "se", "q05", "q95") and f"`X_{part}`" in page
                one = name.startswith("replay_")
                named = f"`{name}`" in page or (
                    (over or one) and re.search(rf"\b{stem.removeprefix('replay_') or part}\b", page)
                )
                assert named or (one and part in page), name
