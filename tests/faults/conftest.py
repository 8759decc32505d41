"""Shared by the fault tests: the complete selection (MMRL_FAULTS=complete) and the table of figures at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.faults.harness import Nursery

COMPLETE = os.environ.get("MMRL_FAULTS") == "complete"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow ones out unless all are asked for."""
    if COMPLETE:
        return
    slow = [item for item in items if item.get_closest_marker("slow_fault")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow_fault")]


@pytest.fixture(scope="session")
def nursery() -> Iterator[Nursery]:
    """A process that has imported everything."""
    nursery = Nursery("torch")
    yield nursery
    nursery.close()


@pytest.fixture
def complete() -> bool:
    """Whether everything is tried, or as much as fits into an ordinary test run."""
    return COMPLETE


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Note a figure for the table: check, what was measured, the figure."""

    def note(check: str, what: str, value: object) -> None:
        request.node.user_properties.append(("figure", [check, what, str(value)]))

    return note


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of all figures."""
    rows = {
        tuple(value)
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", [])
        if name == "figure"
    }
    if not rows:
        return
    terminalreporter.write_sep("-", "figures")
    for check, what, value in sorted(rows, key=lambda row: (int("".join(filter(str.isdigit, row[0])) or 0), row)):
        terminalreporter.write_line(f"{check:<8}{what:<76} {value}")
