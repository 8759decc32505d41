"""Rules of the house that no other tool checks: who knows a market's name, how many parameters a function takes, which
files there may be, what may be imported."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmrl.settings.registry import BUILT_IN, markets, packages

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [*sorted((ROOT / "mmrl").rglob("*.py")), *sorted((ROOT / "tui").rglob("*.py")), ROOT / "cli.py"]
MARKETS = {name for name in markets() if packages()[name].startswith(BUILT_IN)}
NOT_MARKETS = ("what", "tab")
"""Variables that a market's name may be compared with: a kind of drawing and a tab are called `book` too."""
AGENTS = "mmrl/agents/__init__.py"
"""Its table names agents after papers, as one market is named after a paper."""
MOST_PARAMETERS = 8
MANY_ALLOWED = ("mmrl/arguments/", "mmrl/commands/", "mmrl/kernels/")
"""Commands take their options as parameters, and the loop of the kernels takes a market's functions."""
NOT_PLAIN = ("standing", "take over", "taken over", "takes over", "lies behind", "is no more", "reckons", "Expand")
"""Words that a reader stumbles over; there are plainer ones: paused, apply, is below, no longer exists, More epochs."""
LIGHT = (
    "cli",
    *sorted(f"mmrl.settings.{path.stem}" for path in (ROOT / "mmrl" / "settings").glob("[a-z]*.py")),
    "mmrl.markets.contract",
    "mmrl.runs.store",
    "mmrl.plots.charts",
    "tui.app",
)


def place(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def outside_the_markets() -> list[Path]:
    folders = [f"{packages()[name].replace('.', '/')}/" for name in MARKETS]
    return [path for path in SOURCES if not any(place(path).startswith(folder) for folder in folders)]


def names_in(node: ast.expr) -> bool:
    """Whether an expression is a market's name, or holds one in a tuple, list or set."""
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return any(names_in(element) for element in node.elts)
    return isinstance(node, ast.Constant) and node.value in MARKETS


def looked_up(node: ast.AST) -> list[ast.expr | None]:
    """What a piece of code compares with, or looks up."""
    match node:
        case ast.Compare(left=left, comparators=others):
            sides: list[ast.expr | None] = [left, *others]
            return [] if any(isinstance(side, ast.Name) and side.id in NOT_MARKETS for side in sides) else sides
        case ast.MatchValue(value=value):
            return [value]
        case ast.Dict(keys=keys):
            return list(keys)
        case ast.Subscript(slice=ast.Constant() as key):
            return [key]
        case ast.Call(func=ast.Attribute(attr="get" | "pop" | "setdefault" | "startswith"), args=[first, *_]):
            return [first]
    return []


def decided_by_name(tree: ast.AST) -> Iterator[int]:
    """Lines of code that do one thing for one market and another for the others."""
    for node in ast.walk(tree):
        for expression in looked_up(node):
            if expression is not None and names_in(expression):
                yield expression.lineno


@pytest.mark.parametrize(
    "code",
    [
        "market == 'book'",
        "'book' != config.market.name",
        "name in ('book', 'other')",
        "{'book': 1}",
        "table['avellaneda-stoikov']",
        "table.get('avellaneda-stoikov', 0)",
        "match name:\n    case 'book':\n        pass",
    ],
)
def test_a_decision_by_name_is_found(code: str) -> None:
    assert list(decided_by_name(ast.parse(code)))


def test_nobody_outside_a_market_decides_by_its_name() -> None:
    found = []
    for path in outside_the_markets():
        if place(path) != AGENTS:
            found += [f"{place(path)}:{line}" for line in decided_by_name(ast.parse(path.read_text()))]
    assert found == []


def texts_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Texts that a program may show: its strings, without docstrings."""
    docs = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value


def test_what_people_read_is_in_plain_words() -> None:
    found = []
    for path in SOURCES:
        for line, text in texts_of(ast.parse(path.read_text())):
            found += [f"{place(path)}:{line} {word}" for word in NOT_PLAIN if re.search(rf"\b{word}\b", text)]
    assert found == []


def test_no_function_takes_many_parameters() -> None:
    found = []
    for path in SOURCES:
        if place(path).startswith(MANY_ALLOWED) or path.name == "cli.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                given = node.args
                count = len(given.posonlyargs) + len(given.args) + len(given.kwonlyargs)
                if count > MOST_PARAMETERS:
                    found.append(f"{place(path)}:{node.lineno} {node.name} takes {count}")
    assert found == []


def test_files_stand_in_folders_with_a_purpose() -> None:
    assert sorted(path.name for path in (ROOT / "mmrl").glob("*.py")) == ["__init__.py", "__main__.py"]
    assert [place(path) for path in SOURCES if path.stem in ("util", "utils", "helpers", "misc", "common")] == []


def test_files_beside_the_code_are_installed_with_it() -> None:
    data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    shipped = {path for package, patterns in data.items() for p in patterns
               for path in (ROOT / package.removeprefix("mmrl.")).glob(p)}  # fmt: skip
    there = {path for package in ("mmrl", "tui") for path in (ROOT / package).rglob("*.*") if path.is_file()}
    left = {path for path in there - shipped if path.suffix != ".py" and "__pycache__" not in path.parts}
    assert sorted(place(path) for path in left) == []


@pytest.mark.parametrize("module", LIGHT)
def test_what_every_command_loads_is_light(module: str) -> None:
    code = f"import sys, {module}; print(sorted({{'numba', 'torch'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
