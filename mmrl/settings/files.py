"""Files of settings that somebody wrote: where they are, what they hold, or one line that says what is wrong."""

from __future__ import annotations

import os
import re
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from mmrl.settings.errors import ConfigError, brief

LARGEST_FILE = 1_000_000
"""Bytes of a file of settings; those of a run have some thousands."""


def read_text(path: str | Path, name: str) -> tuple[str, str]:
    """The expanded path and the text of a file that the option `name` was given; raises ConfigError."""
    path = expanded(str(path), name)
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST_FILE + 1)
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as error:
        refused = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
        reason = getattr(error, "strerror", None) or refused
        raise ConfigError(f"{name} {path} cannot be read: {reason}") from None
    if len(data) > LARGEST_FILE:
        raise ConfigError(f"{name} {path} is larger than {LARGEST_FILE:,} bytes: it is no file of settings")
    return path, text


def path_of(given: Any, name: str) -> str:
    """A path that Python code gave as the keyword `name`; raises ConfigError for what is none."""
    path = os.fspath(given) if isinstance(given, str | os.PathLike) else given
    if not isinstance(path, str) or not path or "\0" in path:
        raise ConfigError(f"{name} = {brief(given)} is not allowed: it must be a path, as text or pathlib.Path")
    return path


def expanded(path: str, name: str) -> str:
    """A path that somebody typed, with `~` and variables replaced; raises ConfigError where they stand for nothing."""
    found = os.path.expandvars(os.path.expanduser(path))
    unknown = re.search(r"^~[^/]*|\$\w+|\$\{[^}]*\}?", found)
    if unknown and unknown.group() in path:
        what = "no user" if unknown.group().startswith("~") else "no variable"
        raise ConfigError(f"{name} = {brief(path)} is not allowed: there is {what} {unknown.group()}")
    return found


def user_folder(variable: str, usual: str) -> Path:
    """The user's folder for something: what the variable names, else `usual` below the home.

    What is no absolute path names none: it would be another folder for each directory that one works in. Without a
    home it lies among the temporary files.
    """
    home = os.path.expanduser("~")  # stays as it is where there is none
    places = (os.environ.get(variable, ""), os.path.join(home, usual))
    nowhere = os.path.join(tempfile.gettempdir(), f"mmrl-{os.getuid() if hasattr(os, 'getuid') else ''}", usual)
    return Path(next((place for place in places if os.path.isabs(place)), nowhere))


def parsed(text: str, source: str) -> dict[str, Any]:
    """The tables of a TOML text; raises ConfigError with one line that names the source."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise ConfigError(f"{source} is not valid TOML: brackets are nested too deeply") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source} is not valid TOML: {str(error).splitlines()[0]}") from None
    except ValueError:  # Python reads no decimal number of more than 4300 digits
        raise ConfigError(f"{source} is not valid TOML: a number has thousands of digits") from None
