"""Texts in pictures, tables and messages: one-line printable names, time spans, lines that end between words."""

from __future__ import annotations

import math
import re


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


def wrapped(text: str, width: int, indent: str = "", first: str = "") -> list[str]:
    """Lines of at most `width` letters; the first begins with `first`, the others with `indent`.

    They end at blanks, but not after a sign of comparison. A word that is longer than a line stands alone, if need be
    further left, and is broken after a comma only where it is a list that fits nowhere.
    """
    lines: list[str] = []
    line = ""
    for word in _words(text):
        margin = indent if lines else first
        if line and len(margin) + len(line) + 1 + len(word) <= width:
            line += f" {word}"
            continue
        if line:
            lines.append(margin + line)
        line = word
        margin = indent if lines else first
        if len(margin) + len(word) > width:
            *whole, line = _parts(word, width - len(indent)) if len(word) > width else [word]
            lines += [margin + part for part in whole]
            if len(margin) + len(line) > width:
                lines.append(line.rjust(width))
                line = ""
    return [*lines, (indent if lines else first) + line] if line else lines


def _words(text: str) -> list[str]:
    """The words of a text; `>= 1` is one of them."""
    return re.findall(r"(?:[<>]=? )?\S+", " ".join(text.split()))


def _parts(word: str, width: int) -> list[str]:
    """A word in parts of at most `width` letters that end with commas; without commas it stays whole."""
    found = [""]
    for item in re.findall(r"[^,]*,|[^,]+$", word):
        if found[-1] and len(found[-1]) + len(item) > width:
            found.append("")
        found[-1] += item
    return found
