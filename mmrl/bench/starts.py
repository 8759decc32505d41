"""What starting costs, in CPU seconds and in seconds on the wall: imports, help, lists, the first epoch of a run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence

from mmrl.bench.clock import process_seconds
from mmrl.runs.processes import environment, python

RUN = ("train", "-nt", "50", "-nb", "10", "-ne", "1", "--json")
"""A small training."""


def imports(modules: str) -> Callable[[], dict[str, float]]:
    """Python, and an import of modules that are not ours."""
    interpreter = python()[:2]
    return lambda: _figures([*interpreter, "-c", f"import {modules}"])


def command(words: Sequence[str]) -> Callable[[], dict[str, float]]:
    """A command of mmrl that needs nothing but its words."""
    work = [*python(), *words]
    _figures(work)  # writes the bytecode
    return lambda: _figures(work)


def later() -> Callable[[], dict[str, float]]:
    """A small training to the end of its first epoch, its kernels on disk."""
    first_epoch()
    return first_epoch


def first_epoch(**variables: str) -> dict[str, float]:
    """A small training in a folder of its own."""
    with tempfile.TemporaryDirectory() as results:
        return _figures([*python(), *RUN, "--results", results], **variables)


def first() -> Callable[[], dict[str, float]]:
    """The same on a machine that never ran one: all kernels are compiled."""

    def fresh() -> dict[str, float]:
        with tempfile.TemporaryDirectory() as cache:
            return first_epoch(NUMBA_CACHE_DIR=cache)

    return fresh


def _figures(work: list[str], **variables: str) -> dict[str, float]:
    given = environment(**variables)
    given.pop("PYTHONDONTWRITEBYTECODE", None)  # else every start would compile our sources, and only ours
    cpu, wall = process_seconds(work, given)
    return {"cpu": cpu, "wall": wall}
