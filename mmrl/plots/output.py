"""Writing to a terminal, a pipe or a file: how large it is, and what happens when its reader leaves."""

from __future__ import annotations

import errno
import os
import select
import shutil
import signal
import stat
import sys
from contextlib import suppress
from typing import TextIO

from mmrl.plots.text import wrapped

MOST_COLUMNS, MOST_LINES = 1000, 1000
"""A terminal that says it is larger is wrong, and pictures of that size would take all memory."""


def terminal_size(columns: int = 100, lines: int = 30) -> tuple[int, int]:
    """Columns and lines of the terminal, within reason; the given ones where there is none."""
    size = shutil.get_terminal_size((columns, lines))
    return min(size.columns, MOST_COLUMNS), min(size.lines, MOST_LINES)


def holdable(text: str, stream: TextIO) -> str:
    """The text with question marks for the letters that the stream cannot hold."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    return text.encode(encoding, "replace").decode(encoding)


def write(text: str, stream: TextIO) -> None:
    """Write now what the stream can hold.

    When nobody reads any more, the stream leads nowhere from then on and the process sends itself SIGPIPE: Python
    ignores it, and a training stops in order (mmrl/training/signals.py). What standard error cannot take, as on a full
    disk, is lost: nothing depends on it. Raises OSError that names standard output.
    """
    try:
        stream.write(holdable(text, stream))
        stream.flush()
    except OSError as error:
        if not _reader_left(error, stream):
            if stream is sys.stderr:
                lead_nowhere(stream)
                return
            place = "standard output" if stream is sys.stdout else None
            raise OSError(error.errno, error.strerror, place) from error
        lead_nowhere(stream)
        if hasattr(signal, "SIGPIPE"):
            signal.raise_signal(signal.SIGPIPE)


def say(text: str, stream: TextIO) -> None:
    """Write a message now; on a terminal its lines end between words. A line that begins with a blank is left whole:
    a command to copy, a table."""
    columns = terminal_size()[0] if _is_terminal(stream) else 0
    lines = []
    for line in text.split("\n"):
        whole = not columns or len(line) <= columns or line.startswith(" ")
        lines += [line] if whole else wrapped(line, columns, "  ")
    write("\n".join(lines) + "\n", stream)


def _is_terminal(stream: TextIO) -> bool:
    """Whether a stream is a terminal itself, not something that stands in for one."""
    try:
        return os.isatty(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False


def _reader_left(error: OSError, stream: TextIO) -> bool:
    """Whether writing failed because the reader of a pipe, or the terminal, is gone."""
    if error.errno == errno.EPIPE:
        return True
    try:
        return error.errno in (errno.EIO, errno.ENXIO) and stat.S_ISCHR(os.fstat(stream.fileno()).st_mode)
    except (OSError, ValueError, AttributeError):
        return False


def nobody_reads(stream: TextIO) -> bool:
    """Whether a stream leads into a pipe or a terminal that has been closed at its other end."""
    try:
        watched = select.poll()
        watched.register(stream.fileno(), 0)
        return any(event & (select.POLLERR | select.POLLHUP) for _, event in watched.poll(0))
    except (OSError, ValueError, AttributeError):
        return False


def lead_nowhere(stream: TextIO) -> None:
    """Point the descriptor of a stream at /dev/null, so that what is left in its buffer fails nobody."""
    with suppress(OSError, ValueError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
