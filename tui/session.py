"""The state that all screens share; the application creates it and hands it to each of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .form import Draft
from .run_index import RunIndex
from .settings import Settings


@dataclass
class Session:
    """What outlives a screen: the runs, the settings of the user, and what was begun and not finished."""

    runs: RunIndex
    settings: Settings
    trashed: list[tuple[Path, Path]] = field(default_factory=list)  # in the trash and before; the newest last
    drafts: dict[Path | None, Draft] = field(default_factory=dict)  # forms left with changes, by the run they copy
    answers: dict[str, dict[str, str]] = field(default_factory=dict)  # texts of dialogs that were left, by question
    order: list[str] = field(default_factory=list)  # keys of the listed runs, from top to bottom
    chosen: str | None = None  # key of the run that the user last put the cursor on
