"""Messages whose remedy is an option of the command line, for callers of the library: there it is a keyword."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import FieldSpec, fields

PHRASES = (
    (r", or try it with --force", ""),
    (r"see mmrl runs list --results (.+)$", r"mmrl.runs('\1') lists them"),
    (r"resume it with --load", "resume it with mmrl train --load"),
    (r"use --market-file", "use mmrl train --market-file"),
    (r"(?<![\w-])--config ", "file "),
    (r"(?<![\w-])--epoch ", "epoch "),
)
"""What options that are no settings are in the library."""
OPTION = re.compile(r"(?<![\w-])(--[a-z][a-z-]*)(?: ([\w.+-]*\w))?")


@contextmanager
def from_python(*more: type[Exception]) -> Iterator[None]:
    """Raise a ConfigError, and errors of the types `more`, with keywords for options."""
    kinds: tuple[type[Exception], ...] = (ConfigError, *more)
    try:
        yield
    except kinds as error:
        text = with_keywords(str(error))
        if text == str(error):
            raise
        raise type(error)(text) from None


def with_keywords(text: str) -> str:
    """A message with `market='book'` for `--market book`."""
    for pattern, instead in PHRASES:
        text = re.sub(pattern, instead, text)
    flags = {flag: spec for spec in fields() for flag in spec.flags} if "--" in text else {}

    def keyword(found: re.Match[str]) -> str:
        flag, value = found.group(1), found.group(2)
        if flag not in flags:
            return found.group()
        name = flags[flag].option_name
        if value is None:
            return name
        return f"{name}={_written(value)}" if _is_value(flags[flag], value) else f"{name} {value}"

    return OPTION.sub(keyword, text)


def _is_value(spec: FieldSpec, word: str) -> bool:
    """Whether the word after an option is its value, not the next word of the sentence."""
    return word in spec.choices or (spec.kind in ("int", "float") and _number(word))


def _number(word: str) -> bool:
    return re.fullmatch(r"[+-]?\d+(\.\d+)?(e[+-]?\d+)?", word) is not None


def _written(word: str) -> str:
    return word if _number(word) else repr(word)
