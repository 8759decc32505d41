"""Values that cannot be used, and the words of the messages about them."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable
from datetime import date, time
from typing import Any


class ConfigError(ValueError):
    """A value that cannot be used: one line naming the field, the value, what is allowed and the remedy."""


def brief(value: Any, most: int = 60) -> str:
    """A value as a message shows it: in one line, not thousands of digits of it, and a list however it is kept."""
    if isinstance(value, date | time):  # as TOML has them
        return value.isoformat()
    try:
        text = repr(list(value) if isinstance(value, tuple) else value)
    except ValueError:  # Python writes no integer of more than 4300 digits
        return f"a number of {value.bit_length()} bits" if isinstance(value, int) else "a value that cannot be written"
    if "\n" in text:  # of an array
        text = " ".join(text.split())
    return text if len(text) <= most else f"{text[:most]}..."


def suggestion(name: str, known: Iterable[str]) -> str:
    """A did-you-mean for the end of a message; empty where nothing is alike."""
    close = difflib.get_close_matches(str(name), list(known), 1, 0.6)
    return f": did you mean '{close[0]}'?" if close else ""


def choose(name: str, known: Iterable[str]) -> str:
    """What there is to choose from, for the end of a message."""
    known = list(known)
    return "one of " + ", ".join(known) + suggestion(name, known)


def note(text: str) -> None:
    """Say something that is no error, in one line on stderr unless the program shows it elsewhere."""
    logging.getLogger("mmrl").warning("mmrl: %s", text)
