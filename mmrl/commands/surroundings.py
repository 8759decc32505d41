"""What a process finds when it starts, made fit to work in: streams, size of the terminal, current directory."""

from __future__ import annotations

import io
import logging
import os
import sys
from contextlib import suppress

from mmrl.plots.output import MOST_COLUMNS, MOST_LINES, lead_nowhere, say

STREAMS = (("stdin", os.O_RDONLY), ("stdout", os.O_WRONLY), ("stderr", os.O_WRONLY))


class _Notes(logging.Handler):
    """Shows what the program notes on standard error, as it is at that time."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(OSError):
            say(record.getMessage(), sys.stderr)


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


def check_directory() -> None:
    """Refuse to work in a directory that is no more."""
    try:
        os.getcwd()
    except OSError:
        from mmrl.settings.declare import ConfigError

        raise ConfigError("the current directory has been deleted: change to another one (cd)") from None


def flush() -> str:
    """Write what standard output still holds; returns why it cannot be written, if so."""
    try:
        sys.stdout.flush()
    except OSError as error:
        lead_nowhere(sys.stdout)
        return str(error.strerror)
    return ""
