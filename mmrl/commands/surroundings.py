"""What a process finds when it starts, made fit to work in: streams, size of the terminal, current directory."""

from __future__ import annotations

import errno
import io
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import typer

from mmrl.plots.output import MOST_COLUMNS, MOST_LINES, lead_nowhere, nobody_reads, say
from mmrl.plots.text import printable

READER_LEFT = 128 + 13
"""Exit code when nobody reads the output any more: what a shell says of a program that SIGPIPE (13) ended."""
OF_NUMBA = {"NUMBA_NUM_THREADS": 1, "NUMBA_DISABLE_JIT": 0, "NUMBA_BOUNDSCHECK": 0}
"""Variables of numba that people set, with the least value."""
ROOM = {
    **dict.fromkeys(("train", "sweep", "evaluate", "replay", "bench"), 1.2e9),
    **dict.fromkeys(("quote", "export of a policy"), 1e9),
    **dict.fromkeys(("simulate", "calibrate"), 0.6e9),
    **dict.fromkeys(("plot", "export", "tui", "show", "doctor", "markets", "agents", "config"), 0.2e9),
}
"""Bytes of address space that libraries take before a command works, as measured: torch, numba, at least numpy."""
STREAMS = (("stdin", os.O_RDONLY), ("stdout", os.O_WRONLY), ("stderr", os.O_WRONLY))


class _Notes(logging.Handler):
    """Shows what the program notes on standard error, as it is at that time."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            say(printable(record.getMessage()), sys.stderr)


def prepare() -> None:
    """Call this first: a file that is opened while a standard stream is closed would take its place."""
    for descriptor, (name, mode) in enumerate(STREAMS):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, mode)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(descriptor, "r" if name == "stdin" else "w", encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    notes = logging.getLogger("mmrl")
    if not notes.handlers:
        notes.addHandler(_Notes())
    for variable, most in (("COLUMNS", MOST_COLUMNS), ("LINES", MOST_LINES)):
        if len(os.environ.get(variable, "")) > len(str(most)):
            os.environ[variable] = str(most)


def check_room(command: str) -> None:
    """Refuse a command whose libraries do not fit into the address space: where it ends they abort, or never return."""
    from mmrl.runs.machine import address_space

    available, needed = address_space(), ROOM.get(command, 0.0)
    if available < needed:
        from mmrl.settings.errors import ConfigError

        raise ConfigError(
            f"mmrl {command} needs {needed / 1e9:.1f} GB of address space for its libraries alone, this process may "
            f"have {available / 1e9:.2f} GB: raise its limit (ulimit -v)"
        )


def check_directory() -> None:
    """Refuse to work in a directory that is no more."""
    try:
        os.getcwd()
    except OSError:
        from mmrl.settings.errors import ConfigError

        raise ConfigError("the current directory has been deleted: change to another one (cd)") from None


def check_variables() -> None:
    """Refuse variables that nobody knows, as a mistyped one would be ignored, and numbers that numba cannot read."""
    for name, least in OF_NUMBA.items():
        given = os.environ.get(name, "")
        if given and not (given.isascii() and given.isdigit() and int(given[:9]) >= least):
            from mmrl.settings.errors import ConfigError

            raise ConfigError(f"{name} = {given!r} is not allowed: it must be a whole number >= {least}, or unset")
    if any(name.startswith("MMRL_") and name != "MMRL_RESULTS" for name in os.environ):
        from mmrl.settings.variables import variables  # loads the settings, which not every command needs

        variables(os.environ)


@contextmanager
def while_somebody_reads() -> Iterator[None]:
    """End with READER_LEFT and without a word when the reader of the output leaves (`mmrl runs list | head -1`).

    Typer takes every broken pipe for that, also one to a process of ours, and ends with 1 without a word.
    """
    try:
        yield
    except OSError as error:
        if nobody_reads(sys.stdout) or nobody_reads(sys.stderr):
            raise typer.Exit(READER_LEFT) from error
        if error.errno == errno.EPIPE:
            raise RuntimeError(f"a pipe to another process broke: {error}") from error
        raise


def flush() -> tuple[int, str]:
    """Write what standard output still holds; returns the exit code and what is to be said if it cannot be written."""
    try:
        sys.stdout.flush()
    except OSError as error:
        left = nobody_reads(sys.stdout)
        lead_nowhere(sys.stdout)
        return (READER_LEFT, "") if left else (1, f"standard output cannot be written: {error.strerror}")
    return 0, ""
