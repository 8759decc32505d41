"""What may change when a run is resumed, and how a change is told: refused in one line, or noted and recorded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import open_plain
from mmrl.runs.control import LABELS, LIVE
from mmrl.runs.listing import METRICS
from mmrl.runs.read_checkpoint import read
from mmrl.runs.slots import reached
from mmrl.runs.store import PLACE_SETTINGS
from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import NAME, fields, shown, value_of, values_of
from mmrl.settings.model import Config

FIXED = ("shape", "view", "action", "arithmetic")
"""Parts of the settings that decide which networks a run has, what their outputs mean, and in which bits."""
TARGET = "training.ne"
NAMES = {key: name for name, key in LIVE.items()}


def check_changes(stored: Config, wanted: Config) -> None:
    """Refuse changes of a started run that its networks or its promise of the same bits would no longer fit."""
    if stored.market.name != wanted.market.name:
        raise ConfigError(
            f"{NAME} = {wanted.market.name} cannot change in a run that started with {stored.market.name}: "
            "start a new run"
        )
    for spec in fields(stored.market.name):
        before, now = value_of(stored, spec), value_of(wanted, spec)
        if before != now and spec.part in FIXED:
            raise ConfigError(f"{spec.key} = {now} cannot change in a run that started with {before}: start a new run")


def check_resume(folder: Path, stored: Config, wanted: Config, expand: int) -> None:
    """Refuse what cannot change, a target that lies behind, and settings that no epoch would use any more.

    `expand` is the number of epochs to add to the target of the run. Raises ConfigError and BrokenRun.
    """
    check_changes(stored, wanted)
    changed = {key: value for key, value in settings_in_use(wanted).items() if settings_in_use(stored)[key] != value}
    if expand and TARGET in changed:
        raise ConfigError(f"--expand {expand} contradicts {TARGET} = {wanted.training.ne}: drop one")
    done = reached(folder)
    target = stored.training.ne + expand if expand else wanted.training.ne
    if target < done and TARGET in changed:
        raise ConfigError(
            f"{TARGET} = {target} is not allowed: {folder.name} has trained {done} epochs, which stay: "
            f"it must be > {done} to train on, or {done} to end the run there"
        )
    changed.pop(TARGET, None)
    if done and target <= done and changed:
        key, value = next(iter(changed.items()))
        raise ConfigError(
            f"{key} = {shown(value)} would change nothing: {folder.name} has trained all of its {done} epochs: "
            "add --expand N to train on, or start a new run"
        )


def check_sound(folder: Path) -> None:
    """Raise BrokenRun where nothing sound is left to go on from: no checkpoint, or metrics that are no file."""
    read(folder)
    with suppress(FileNotFoundError):
        os.close(open_plain(folder / METRICS))


def settings_in_use(config: Config) -> dict[str, Any]:
    """What a run computes with, by key; lists as JSON has them."""
    values = {key: list(v) if isinstance(v, tuple) else v for key, v in values_of(config).items()}
    return {key: value for key, value in values.items() if key not in PLACE_SETTINGS}


def event_of(before: Any, now: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that differ from those of the epoch before, by the names that live edits have, else by key.

    Empty where nobody knows: in a run of an earlier version, or for settings that it did not have.
    """
    known = before if isinstance(before, dict) else {}
    return {NAMES.get(key, key): value for key, value in now.items() if key in known and known[key] != value}


def told(event: Mapping[str, Any], before: Mapping[str, Any]) -> str:
    """An event in words: each setting with what it was and is."""
    return ", ".join(
        f"{LABELS.get(name, name)} {shown(before[LIVE.get(name, name)])} -> {shown(value)}"
        for name, value in event.items()
    )
