"""What the application remembers from one start to the next: theme, smoothing, chosen metric, order of the runs."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any

DEFAULTS: dict[str, Any] = {
    "theme": "mmrl-dark",
    "smoothing": 0.0,
    "band": "error",
    "metric": "value",
    "sort": "updated",
    "reverse": False,
    "grouped": True,
}


def settings_path() -> Path:
    """The file of settings, below XDG_CONFIG_HOME or ~/.config."""
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(base) / "mmrl" / "tui.json"


def load_settings() -> dict[str, Any]:
    """Settings of the last time; whatever is missing, broken or of another type is the default."""
    try:
        found = json.loads(settings_path().read_bytes()[:65_536])
    except (OSError, ValueError, RecursionError):
        found = {}
    if not isinstance(found, dict):
        found = {}
    kept = {key: found.get(key) for key, value in DEFAULTS.items() if isinstance(found.get(key), type(value))}
    return {**DEFAULTS, **kept}


def save_settings(settings: dict[str, Any]) -> None:
    """Write the settings; a read-only home is no reason to complain."""
    path = settings_path()
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.write_text(json.dumps(settings, indent=1))
        os.replace(temporary, path)
