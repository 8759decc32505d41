"""The state that all screens share; the application creates it and hands it to each of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .run_index import RunIndex
from .settings import Settings


@dataclass
class Session:
    """The runs, the settings of the user, and the runs moved to the trash since the start, the newest last."""

    runs: RunIndex
    settings: Settings
    trashed: list[tuple[Path, Path]] = field(default_factory=list)  # folder in the trash, folder before
