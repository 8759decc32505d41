"""From values to a checked Config, or to one line that says what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from mmrl.settings.declare import ConfigError, Group, brief
from mmrl.settings.fields import field, refusal, unknown_key
from mmrl.settings.model import GROUPS, Config
from mmrl.settings.registry import default_market, settings_class


def build(values: Mapping[str, Mapping[str, Any]]) -> Config:
    """Make a Config from values by group and name; raises ConfigError with one line on the first fault."""
    market = values.get("market", {}).get("name", default_market())
    groups: dict[str, Group] = {}
    for group, given in values.items():
        if group not in GROUPS:
            raise ConfigError(f"unknown group '{group}': there are {', '.join(GROUPS)}")
        model = settings_class(str(market)) if group == "market" else GROUPS[group]
        for name, value in given.items():
            if isinstance(value, str) and not _is_text(value):
                raise ConfigError(f"{group}.{name} = {brief(value)} is not allowed: it must be text without NUL bytes")
        try:
            groups[group] = model.model_validate({name: _widened(model, name, value) for name, value in given.items()})
        except ValidationError as error:
            raise ConfigError(_one_line(error, group, str(market))) from None
    try:
        return Config(**groups)  # type: ignore[arg-type]
    except ValidationError as error:
        raise ConfigError(str(error.errors(include_url=False)[0]["msg"]).removeprefix("Value error, ")) from None


def _is_text(value: str) -> bool:
    """Whether a text can be a path and stand in a UTF-8 file."""
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:  # bytes of the command line that are no UTF-8
        return False


def _widened(model: type[Group], name: str, value: Any) -> Any:
    """Lists become tuples, and whole numbers are fine where a tuple of floats is meant."""
    value = tuple(value) if isinstance(value, list) else value
    info = model.model_fields.get(name)
    if isinstance(value, tuple) and info is not None and "float" in str(info.annotation):
        return tuple(float(x) if isinstance(x, int) and not isinstance(x, bool) else x for x in value)
    return value


def _one_line(error: ValidationError, group: str, market: str) -> str:
    first = error.errors(include_url=False)[0]
    if not first["loc"]:
        return str(first["msg"]).removeprefix("Value error, ").replace("\n", " ")
    key = f"{group}.{first['loc'][0]}"
    if first["type"] == "extra_forbidden":
        return unknown_key(key, market)
    return refusal(field(key, market), first.get("input"))
