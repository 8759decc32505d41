"""Market files: settings of a market that were fitted to data, with their errors and with where they come from.

TOML with the table `market`, settings as in any file; `errors`, the standard error of each; and `source`: what they
were fitted to, how, and by which version. A preset that has a table `source` is one too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmrl.settings.errors import ConfigError, brief
from mmrl.settings.files import parsed, read_text

SOURCE, ERRORS = "source", "errors"


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= 1e9


FACTS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "files": (_texts, "a list of texts"),
    "sha256": (_texts, "a list of texts"),
    "tick": (_number, "a number > 0, <= 1e9"),
    "lots_of_a_share": (lambda value: isinstance(value, int) and _number(value), "a whole number >= 1, <= 1e9"),
}
"""What the program reads of a source, with what it must be; the rest is only shown."""


@dataclass(frozen=True)
class MarketFile:
    """A market file as it was read."""

    name: str
    text: str
    sha256: str
    source: Mapping[str, Any]

    @property
    def origin(self) -> str:
        """Where the market comes from, in one line."""
        s = self.source
        files = ", ".join(str(name) for name in s["files"])
        return f"{files} ({s.get('format', '?')}), {s.get('date', '?')} {s.get('from', '?')} to {s.get('to', '?')}"


def read_market_file(path: str | Path, option: str = "--market-file") -> MarketFile:
    """A market file that an option names. ConfigError where it cannot be read or does not say what it was fitted to."""
    path, text = read_text(path, option)
    found = market_file(Path(path).name, text)
    if found is None:
        raise ConfigError(
            f"{option} {path} has no table [{SOURCE}] with files and sha256: make one with mmrl calibrate, or use "
            "--config for other settings"
        )
    return found


def market_file(name: str, text: str) -> MarketFile | None:
    """The market file in a text, None where the text has no source."""
    source = parsed(text, name).get(SOURCE)
    if not isinstance(source, dict) or not all(isinstance(source.get(key), list) for key in ("files", "sha256")):
        return None
    for key, (fits, allowed) in FACTS.items():
        if key in source and not fits(source[key]):
            raise ConfigError(f"{name}: {SOURCE}.{key} = {brief(source[key])} is not allowed: it must be {allowed}")
    return MarketFile(name, text, hashlib.sha256(text.encode()).hexdigest(), source)


def market_toml(
    market: Mapping[str, Any], errors: Mapping[str, Any], source: Mapping[str, Any], comments: Sequence[str] = ()
) -> str:
    """The text of a market file."""
    from mmrl.settings.sources import toml_value

    lines = [f"# {comment}".rstrip() for comment in comments]
    for title, table in (("market", market), (ERRORS, errors), (SOURCE, source)):
        lines += ["", f"[{title}]", *(f"{key} = {toml_value(value)}" for key, value in table.items())]
    return "\n".join(lines).lstrip() + "\n"
