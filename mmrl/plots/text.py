"""Texts in pictures and tables: one-line printable names, and time spans."""

from __future__ import annotations

import math
import textwrap


def duration(seconds: float) -> str:
    """A time span in few characters: 42s, 3m05s, 2h14m, 3d04h."""
    if not math.isfinite(seconds):
        return "-"
    whole = max(round(seconds), 0)
    for limit, big, small in ((86400, "d", "h"), (3600, "h", "m"), (60, "m", "s")):
        if whole >= limit:
            rest = whole % limit * (24 if big == "d" else 60) // limit
            return f"{whole // limit}{big}{rest:02d}{small}"
    return f"{whole}s"


def printable(text: object) -> str:
    """One line without control characters: a text from a file or a name cannot move the cursor."""
    return "".join(letter if letter.isprintable() else " " for letter in str(text))


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Lines of at most `width` letters, broken at blanks only; all but the first begin with `indent`.

    A word that is wider than a line stays whole.
    """
    return textwrap.wrap(
        text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
