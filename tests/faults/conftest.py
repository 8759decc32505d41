"""Shared by the fault tests: the complete selection (MMRL_FAULTS=complete) and the table of figures at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import COMPLETE
from tests.faults.harness import TINY, Nursery

CHECKS = 26


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """A process that has imported everything."""
    nursery = Nursery("training")
    yield nursery
    nursery.close()


@pytest.fixture(scope="session")
def good(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound run of two epochs, to be copied."""
    place = tmp_path_factory.mktemp("good")
    child = nursery.mmrl(place, "train", *TINY, "-ne", "2", "-pa", "1", "--results", str(place), "--name", "run")
    assert child.wait() == 0, child.text()
    return place / "run"


@pytest.fixture
def complete() -> bool:
    """Whether everything is tried, or as much as fits into an ordinary test run."""
    return COMPLETE


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Note a figure for the table: number of the check, what was measured, the figure, the bar it is held to."""

    def note(check: int, what: str, value: object, bar: str) -> None:
        request.node.user_properties.append(("figure", [check, what, str(value), bar]))

    return note


@pytest.fixture
def caught(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Note for the table which mutant a check has caught, and how."""

    def note(check: int, mutant: str) -> None:
        request.node.user_properties.append(("caught", [check, mutant]))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print one table: every check with its figures, their bars and the mutants caught."""
    noted: dict[str, list[list[Any]]] = {"figure": [], "caught": []}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", []) if getattr(report, "when", "") == "call" else []:
                if name in noted:
                    end = " (the test FAILED)" if report.failed else ""
                    noted[name].append([*value[:-1], value[-1] + end])
    if not noted["figure"]:
        return
    terminalreporter.write_sep("-", "figures")
    rows = [("check", "what", "figure", "bar")]
    for check in range(1, CHECKS + 1):
        rows += [(str(check), *values) for number, *values in noted["figure"] if number == check]
        rows += [("", f"caught: {mutant}", "", "") for number, mutant in noted["caught"] if number == check]
    full = [row for row in rows if row[2]]
    widths = [max(len(row[column]) for row in full) for column in range(4)]
    for row in rows:
        terminalreporter.write_line("  ".join(cell.ljust(n) for cell, n in zip(row, widths, strict=True)).rstrip())
    if COMPLETE:
        for kind, values in noted.items():
            missing = sorted(set(range(1, CHECKS + 1)) - {value[0] for value in values})
            if missing:
                terminalreporter.write_line(f"no {kind} for: {missing}")
