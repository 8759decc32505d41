"""From values to a checked Config, or to one line that says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from mmrl.settings.declare import Group
from mmrl.settings.errors import ConfigError, brief, choose, suggestion
from mmrl.settings.fields import field, fields, no_table, refusal, unknown_key
from mmrl.settings.model import GROUPS, Config
from mmrl.settings.registry import default_market, settings_class


def build(values: Mapping[str, Mapping[str, Any]]) -> Config:
    """Make a Config from values by group and name; raises ConfigError with one line on the first fault."""
    return Config(**values)


def checked(given: Mapping[str, Any]) -> dict[str, Group]:
    """The groups of a Config from their values by name, or as they are; raises ConfigError on the first fault."""
    table = given.get("market", {})
    market = table.get("name", default_market()) if isinstance(table, Mapping) else getattr(table, "name", "")
    return {group: _group(group, values, market) for group, values in given.items()}


def _group(group: str, given: Any, market: Any) -> Group:
    if group not in GROUPS:
        raise ConfigError(_no_group(group, given))
    if isinstance(given, GROUPS[group]):
        return given
    if not isinstance(given, Mapping):
        first = next(spec for spec in fields(default_market()) if spec.group == group)
        raise ConfigError(
            f"{no_table(group, given)}: write {group}={{{first.name!r}: {first.default!r}}}, or "
            f"Config.of({first.option_name}={first.default!r})"
        )
    model = settings_class(market) if group == "market" else GROUPS[group]
    for name, value in given.items():
        if isinstance(value, str) and not _is_text(value):
            raise ConfigError(
                f"{group}.{name} = {brief(value)} is not allowed: it must be UTF-8 text without NUL bytes"
            )
    try:
        # pydantic takes whole numbers for floats, but no lists for tuples
        return model.model_validate({n: tuple(v) if isinstance(v, list) else v for n, v in given.items()})
    except ValidationError as error:
        raise ConfigError(_one_line(error, group, given, market)) from None


def _no_group(name: str, value: Any) -> str:
    """The line that refuses a keyword of Config which is no group."""
    if suggestion(name, GROUPS):
        return f"unknown group '{name}': there are {choose(name, GROUPS).removeprefix('one of ')}"
    spec = field(name)  # raises ConfigError on what is no setting either
    return (
        f"{name} = {brief(value)} is not allowed: Config takes groups of settings, {', '.join(GROUPS)}: "
        f"write Config.of({spec.option_name}=...)"
    )


def _is_text(value: str) -> bool:
    """Whether a text can be a path and stand in a UTF-8 file."""
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:  # bytes of the command line that are no UTF-8
        return False


def _one_line(error: ValidationError, group: str, given: Mapping[str, Any], market: str) -> str:
    first = error.errors(include_url=False)[0]
    if not first["loc"]:
        return str(first["msg"]).removeprefix("Value error, ").replace("\n", " ")
    name = str(first["loc"][0])
    key = f"{group}.{name}"
    if first["type"] == "extra_forbidden":
        return unknown_key(key, market)
    return refusal(field(key, market), given.get(name))
