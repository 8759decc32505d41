"""Settings of the terminal UI that are kept from one start to the next."""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmrl.settings.files import user_folder

LARGEST = 65_536
"""Bytes of the file; what is larger is none of ours."""


@dataclass
class Settings:
    """Theme, what the charts show, and the order of the list of runs."""

    theme: str = "mmrl-dark"
    smoothing: float = 0.0
    band: str = "error"
    metric: str = "value"
    sort: str = "updated"
    reverse: bool = False
    grouped: bool = True
    preview: bool = True
    columns: str = ""
    """Names of the columns of the list of runs, between blanks; empty: those that suit the width."""

    def change(self, **values: Any) -> None:
        """Set some values and save all of them for the next start."""
        for name, value in values.items():
            setattr(self, name, value)
        self.save()

    def save(self) -> None:
        """Write the settings; a read-only home is not an error."""
        path = settings_path()
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
            temporary.write_text(json.dumps(asdict(self), indent=1))
            os.replace(temporary, path)


def settings_path() -> Path:
    """The file of settings, below XDG_CONFIG_HOME or ~/.config."""
    return user_folder("XDG_CONFIG_HOME", ".config") / "mmrl" / "tui.json"


def load_settings() -> Settings:
    """The saved settings; values that are missing, unreadable or of the wrong type are the defaults."""
    try:
        path = settings_path()
        # a pipe would be waited for, a device read without end
        found = json.loads(path.read_bytes()) if path.is_file() and path.stat().st_size < LARGEST else {}
    except (OSError, ValueError, RecursionError):
        found = {}
    if not isinstance(found, dict):
        found = {}
    defaults = asdict(Settings())
    kept = {name: found[name] for name, value in defaults.items() if isinstance(found.get(name), type(value))}
    return Settings(**kept)
