"""Texts in pictures and tables: one-line printable names, and time spans."""

from __future__ import annotations

import math


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


def shortened(label: str, width: int) -> str:
    """A label of at most `width` letters, with an ellipsis in its middle where it is longer."""
    if len(label) <= width:
        return label
    if width < 2:
        return label[: max(width, 0)]
    end = (width - 1) // 2
    return f"{label[: width - 1 - end]}…{label[len(label) - end :]}"
