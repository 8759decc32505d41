"""Old names of settings: files and flags of earlier versions load through here, with a note."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmrl.settings.errors import ConfigError, brief, note
from mmrl.settings.groups import LOG_STD_BOUNDS
from mmrl.settings.registry import markets, settings_class

RENAMED = {"market.max_dw": "reward.max_dw"}
"""Settings of no single market that had another name."""
DROPPED = {"training.value_lr": "the value function is fitted by least squares"}
"""Settings that are no more, each with the reason."""

NARROWED = {"policy.log_std": LOG_STD_BOUNDS}
"""Settings that an earlier version took beyond what it used."""


def old_key(name: str) -> str:
    """The dotted key that an old name, dotted or not, stood for; empty for a name of today or one that never was."""
    plain = name.lstrip("-").replace("-", "_")
    for table in (RENAMED, *(settings_class(market).renamed() for market in markets())):
        for before, now in table.items():
            if name == before or (plain == before.partition(".")[2] and plain != now.partition(".")[2]):
                return before
    return ""


def new_key(old: str) -> str:
    """The dotted key of today for an old name, dotted or not; empty for a name that never was."""
    before = old_key(old)
    tables = (RENAMED, *(settings_class(market).renamed() for market in markets()))
    return next((table[before] for table in tables if before in table), "")


def within_bounds(values: Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Values of a run by dotted key within bounds that an earlier version used unsaid, and a note on them."""
    found, told = dict(values), []
    for key, (low, high) in NARROWED.items():
        value = found.get(key)
        if isinstance(value, int | float) and not low <= value <= high:
            found[key] = min(max(float(value), low), high)
            told.append(f"{key} = {value} is {found[key]}, as it was used")
    return found, ", ".join(told)


def old_flags() -> dict[str, str]:
    """Flags of old names that are no flags of today, by flag, with the old dotted key."""
    flags = {}
    for market in markets():
        for before, now in settings_class(market).renamed().items():
            name = before.partition(".")[2]
            if name != now.partition(".")[2]:
                flags["--" + name.replace("_", "-")] = before
    return flags


def current(values: Mapping[str, Any], market: str, said: str = "") -> dict[str, Any]:
    """Values that somebody typed, by dotted key with the names of today; each old name is noted (as `said`).

    Raises ConfigError on an old name of another market's setting, and on one that contradicts the new name.
    """
    own = {**RENAMED, **(settings_class(market).renamed() if market in markets() else {})}
    told = {key: value for key, value in values.items() if not old_key(key) or key != old_key(key)}
    for before, value in values.items():
        if before in told:
            continue
        if before not in own:
            owner = next(name for name in markets() if before in settings_class(name).renamed())
            raise ConfigError(
                f"{before} has no effect: it is a setting of {owner}, and the market is {market}: "
                f"drop it, or use --market {owner}"
            )
        now = own[before]
        note(f"{said or before}: it is now {now}")
        if now in told and told[now] != value:
            raise ConfigError(
                f"{before} = {brief(value)} contradicts {now} = {brief(told[now])}, its name of today: drop one"
            )
        told[now] = value
    return told


def upgrade(values: Mapping[str, Any], market: str) -> tuple[dict[str, Any], str]:
    """Values of a file for a market by dotted key with the names of today, and a note on them (empty: all are).

    Files of an early version held the settings of every market side by side: those of other markets are dropped, a
    setting that moved from another group to the market's takes its value from the name that this market gave it.
    """
    if market not in markets():
        return dict(values), ""
    told = [f"{key} no longer exists, {DROPPED[key]}" for key, value in values.items() if key in DROPPED and value]
    values = {key: value for key, value in values.items() if key not in DROPPED}
    own = {**RENAMED, **settings_class(market).renamed()}
    others = {old for name in markets() for old in settings_class(name).renamed()}
    old = [key for key in values if key in own or key in others]
    if not old:
        return dict(values), "; ".join(told)
    known = {f"market.{name}" for name in settings_class(market).model_fields}
    upgraded = {}
    for key, value in values.items():
        if key in own or key in others or (key.startswith("market.") and key not in known and _of_others(key, market)):
            continue
        upgraded[key] = value
    upgraded |= {now: values[before] for before, now in own.items() if before in values}
    told += [f"{key} is now {own[key]}" for key in old if key in own]
    lost = [key for key in values if key not in own and key not in upgraded and _was_changed(key, values[key])]
    told += [f"{key} is of another market and left out" for key in lost]
    return upgraded, f"settings of an earlier version were read: {', '.join(told) or 'those of this market'}"


def _was_changed(key: str, value: Any) -> bool:
    """Whether a setting of another market differs from the default there: an early version wrote down all of them."""
    found = [key, *(model.renamed().get(key, "") for model in map(settings_class, markets()))]
    names = {name.partition(".")[2] for name in found if name}
    defaults = [
        info.default
        for model in map(settings_class, markets())
        for name, info in model.model_fields.items()
        if name in names
    ]
    return bool(defaults) and (tuple(value) if isinstance(value, list) else value) not in defaults


def _of_others(key: str, market: str) -> bool:
    name = key.partition(".")[2]
    return any(name in settings_class(other).model_fields for other in markets() if other != market)
