"""What readers say about their files: errors of one line, and counts of what was met on the way."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

FIRST = 5
"""Places that are kept of each note."""
CROSSED = "crossed books (bid >= ask)"
BACKWARDS = "times before the one above, raised to it"
SILENCES = "pauses longer than 5 minutes"
TRUNCATED = "truncated last lines, left out"
COMPARED = "rebuilt best prices compared with the file's own"
AGREE = "rebuilt best prices that agree with the file's own"
OPENING = "orders or levels of the book at the start"
MIRRORED = "rows that repeat the trade of another row"


class DataError(ValueError):
    """Data that cannot be read: one line naming file, line, what is wrong and the remedy. Commands exit with code 2."""


def refuse(path: Path | str, line: int | None, what: str) -> DataError:
    """The error for a file, and the line of it counted from 1."""
    return DataError(f"{path}{'' if line is None else f', line {line}'}: {what}")


def needed(module: str) -> Any:
    """An optional library. DataError, with the command that installs it, where it is absent."""
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        pip = 'pip install "market-making-rl[data]"'
        raise DataError(f"this format needs {module.replace('_', '-')}, which is not installed: {pip}") from None


class Notes:
    """Counts by reason, each with the first places in a file."""

    def __init__(self, path: Path | str) -> None:
        self.name = Path(path).name
        self.counts: dict[str, int] = {}
        self._places: dict[str, list[str]] = {}

    def add(self, reason: str, line: int | None = None, count: int = 1, name: str | None = None) -> None:
        """Something met `count` times, first at a line of the file, or of the one named."""
        if count == 0:
            return
        self.counts[reason] = self.counts.get(reason, 0) + count
        known = self._places.setdefault(reason, [])
        if line is not None and len(known) < FIRST:
            known.append(f"{name or self.name}:{line}")

    def add_each(self, reason: str, lines: Iterable[int]) -> None:
        """Something met at each of these lines."""
        for line in lines:
            self.add(reason, int(line))

    def places(self) -> dict[str, tuple[str, ...]]:
        """The first places of each reason that has any."""
        return {reason: tuple(found) for reason, found in self._places.items() if found}
