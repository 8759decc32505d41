"""Where settings come from: flag > environment > --config > --market-file > --preset > default; TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from mmrl.settings.build import build
from mmrl.settings.declare import When
from mmrl.settings.errors import ConfigError, brief, choose, note
from mmrl.settings.fields import (
    NAME,
    field,
    fields,
    no_table,
    parse_text,
    typed,
    value_of,
    values_of,
    without_effect,
)
from mmrl.settings.files import expanded, parsed, path_of, read_text
from mmrl.settings.groups import REST
from mmrl.settings.market_file import ERRORS, SOURCE, MarketFile, market_file
from mmrl.settings.model import GROUPS, Config
from mmrl.settings.registry import default_market, markets, packages, settings_class
from mmrl.settings.upgrade import DROPPED, current, new_key, old_key, upgrade, within_bounds
from mmrl.settings.variables import RESULTS, read_environment

META = ("origins", "meta", ERRORS, SOURCE)
"""Tables of a run's config.toml or of a market file that are about the settings and are not settings."""


@dataclass(frozen=True)
class StoredConfig:
    """A config read back from a run folder, with the origin of each value and what else was noted."""

    config: Config
    origins: dict[str, str]
    meta: dict[str, Any]
    note: str = ""
    """What an earlier version named otherwise; empty for a file with the names of today."""


def resolve(
    flags: Mapping[str, Any],
    config_file: str | Path | None = None,
    preset: str | None = None,
    environ: Mapping[str, str] | None = None,
    fitted: MarketFile | None = None,
    without_effect_too: bool = False,
) -> tuple[Config, dict[str, str]]:
    """Merge all sources into a Config; also returns where each given value came from, by dotted key.

    `flags` maps keys (`training.lr` or `lr`, or old names) to typed values; None means not given. Settings without
    effect are refused unless `without_effect_too`: then the caller judges them.
    """
    given = {old_key(key) or field(key).key: value for key, value in flags.items() if value is not None}
    from_environment = read_environment(environ) if environ else {}
    files = [(f"preset {preset}", read_preset(preset))] if preset is not None else []
    files += [(f"market file {fitted.name}", _flat(parsed(fitted.text, fitted.name), fitted.name))] if fitted else []
    files += [(f"file {config_file}", read_file(config_file))] if config_file is not None else []
    names = [values.get(NAME) for _, values in files]
    names += [from_environment.get(NAME, ("", None))[1], given.get(NAME)]
    market = next((name for name in reversed(names) if name is not None), default_market())
    layers: list[tuple[str, dict[str, Any]]] = []
    for origin, values in files:
        renewed, renamed = upgrade(values, values.get(NAME, market))
        if renamed:
            note(f"{origin}: {renamed}")
        # A fault of a file is named with the file, even where a flag would cover it up.
        _checked(renewed, origin, complete=False)
        layers.append((origin, renewed))
    for key, (variable, value) in from_environment.items():
        layers.append((f"environment {variable}", current({key: value}, market, variable)))
    layers.append(("flag", current(given, market)))
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, values in layers:
        for key, value in values.items():
            merged[key], origins[key] = value, origin
    try:
        settings_class(market)  # before the settings, which nobody knows without their market
        merged = {key: typed(key, value, market) for key, value in merged.items()}
        if isinstance(merged.get(RESULTS), str):
            merged[RESULTS] = expanded(merged[RESULTS], RESULTS)
        config = build(nested(merged))
        if not without_effect_too:
            refuse_without_effect(config, origins)
        return config, origins
    except ConfigError as error:
        key = re.split(" = | has no effect", str(error))[0]
        origin = origins.get(key, "flag")
        own = next((values.get(NAME) for source, values in files if source == origin), None)
        if origin.startswith("preset") and own not in (None, market):
            raise ConfigError(
                f"{origin} is for the market {own}, not {market}: drop it, or use --market {own}"
            ) from None
        raise ConfigError(str(error) if origin == "flag" else f"{origin}: {error}") from None


def given(preset: str | None, file: str | None, settings: Mapping[str, Any]) -> Config:
    """The config of a preset, a file and values by the names of settings, as Python code gives them."""
    from mmrl.settings.keywords import from_python

    if file is not None:
        path_of(file, "file")
    with from_python():
        return resolve(_plain(settings), file, preset)[0]


def changed(config: Config, settings: Mapping[str, Any]) -> Config:
    """A config with other values by the names of settings, as Python code gives them."""
    from mmrl.settings.keywords import from_python

    with from_python():
        found = replaced(config, _plain(settings))
        refuse_without_effect(found, {field(key).key: "flag" for key in settings})
    return found


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Values of Python code without numpy's types, which settings do not take."""
    return {key: value.tolist() if hasattr(value, "tolist") else value for key, value in settings.items()}


def refuse_without_effect(config: Config, origins: Mapping[str, str]) -> None:
    """Raise ConfigError on a setting that was asked for by a flag or variable and does nothing; note those of files.

    A preset is silent: its values were not chosen by whoever overrides one of them.
    """
    values = values_of(config)
    refuse_unused(without_effect(values, config.market.name), values, origins)


def refuse_unused(unused: Mapping[str, When], values: Mapping[str, Any], origins: Mapping[str, str]) -> None:
    """The same, given the settings that do nothing, each with the condition it misses."""
    for key, condition in unused.items():
        origin = origins.get(key, "")
        if not origin or origin.startswith("preset") or not condition.refused:
            continue
        text = f"{key} = {toml_value(values[key])} has no effect: {condition.otherwise}"
        if origin == "flag" or origin.startswith("environment"):
            raise ConfigError(f"{text}: drop it, or change {' or '.join(condition.keys())}")
        if values[key] != field(key, str(values[NAME])).default:
            note(f"{origin}: {text}")


def nested(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Dotted keys to groups of names."""
    groups: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        group, _, name = key.partition(".")
        groups.setdefault(group, {})[name] = value
    return groups


def set_values(pairs: Iterable[str]) -> dict[str, Any]:
    """Read `key=value` texts of --set into values by dotted key; old names stay for `current`."""
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise ConfigError(f"--set {pair}: write it as key=value, for example --set lr=0.001")
        spec = field(key.strip())
        _keep(values, old_key(key.strip()) or spec.key, parse_text(spec, text.strip()), "--set ")
    return values


def _keep(values: dict[str, Any], key: str, value: Any, before: str = "") -> None:
    """Add a value of a source; two values for one setting, whatever its spelling, are refused."""
    if key in values and values[key] != value:
        raise ConfigError(f"{before}{key} is given twice, as {brief(values[key])} and {brief(value)}: keep one")
    values[key] = value


def replaced(config: Config, values: Mapping[str, Any]) -> Config:
    """The same config with other values for some keys, checked again; another market keeps what both markets have."""
    changes = {field(key).key: value for key, value in values.items()}
    market = changes.get(NAME, config.market.name)
    settings_class(market)
    flat = values_of(config)
    if market != config.market.name:
        known = {spec.key for spec in fields(market)}
        shared = {spec.key for spec in fields() if not spec.markets and len(set(spec.defaults.values())) < 2}
        flat = {key: value for key, value in flat.items() if key in known & shared}
    flat.update({key: typed(key, value, market) for key, value in changes.items()})
    return build(nested(flat))


def _preset_files() -> dict[str, Any]:
    """The presets of all markets by name: TOML files in the folder `presets` of each."""
    found: dict[str, Any] = {}
    for market in markets():
        folder = resources.files(packages()[market]).joinpath("presets")
        for entry in folder.iterdir() if folder.is_dir() else ():
            if entry.name.endswith(".toml"):
                found.setdefault(entry.name.removesuffix(".toml"), entry)
    return found


def presets() -> list[str]:
    """Names of the presets of all markets."""
    return sorted(_preset_files())


def read_preset(name: str) -> dict[str, Any]:
    """Values of a preset by dotted key."""
    return _flat(parsed(preset_text(name), f"preset {name}"), f"preset {name}")


def fitted_preset(name: str) -> MarketFile | None:
    """The market file that a preset is, None where it was not fitted to data."""
    return market_file(f"preset {name}", preset_text(name))


def preset_text(name: str) -> str:
    """The file of a preset; raises ConfigError for an unknown name."""
    files = _preset_files()
    if name not in list(files):  # from Python it may be anything
        raise ConfigError(
            f"unknown preset {brief(name)}: there are {choose(name, sorted(files)).removeprefix('one of ')}"
        )
    text: str = files[name].read_text(encoding="utf-8")
    return text


def read_file(path: str | Path) -> dict[str, Any]:
    """Values of a TOML file by dotted key; the config.toml of a run will do."""
    path, text = read_text(path, "--config")
    if market_file(path, text):
        raise ConfigError(f"--config {path} is a market file, whose source a run keeps: use --market-file {path}")
    return _flat(parsed(text, path), path)


def dump_toml(config: Config, origins: Mapping[str, str] | None = None, meta: Mapping[str, Any] | None = None) -> str:
    """All values as TOML, followed by the origins of those that were given and by notes about the run."""
    lines = []
    for group in GROUPS:
        lines.append(f"[{group}]")
        own = [spec for spec in fields(config.market.name) if spec.group == group]
        lines += [f"{spec.name} = {toml_value(value_of(config, spec))}" for spec in own]
        lines.append("")
    for title, table in (("origins", origins), ("meta", meta)):
        if table:
            lines.append(f"[{title}]")
            lines += [f"{toml_value(str(key))} = {toml_value(value)}" for key, value in table.items()]
            lines.append("")
    return "\n".join(lines)


def load_toml(text: str, source: str = "config.toml") -> StoredConfig:
    """Read what `dump_toml` wrote, or any TOML file of settings."""
    table = parsed(text, source)
    meta, origins = table.get("meta", {}), table.get("origins", {})
    if not isinstance(meta, dict) or not isinstance(origins, dict):
        raise ConfigError(f"{source}: 'meta' and 'origins' must be tables")
    flat = _flat(table, source)
    market = flat.get(NAME, default_market())
    values, renamed = upgrade(flat, market)
    values, narrowed = within_bounds(values)
    config = _checked(values, source)
    renewed, _ = upgrade({str(key): str(value) for key, value in origins.items()}, market)
    return StoredConfig(config, renewed, meta, "; ".join(filter(None, (renamed, narrowed))))


def _checked(values: Mapping[str, Any], source: str, complete: bool = True) -> Config:
    try:
        return build(nested(values))
    except ConfigError as error:
        # Values of one source may contradict a default that another source changes: judged at the end.
        if not complete and " is not allowed: " not in str(error):
            return Config()
        raise ConfigError(f"{source}: {error}") from None


def _flat(table: Mapping[str, Any], source: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    market = table.get("market")
    if isinstance(market, dict) and "name" in market:
        try:
            settings_class(market["name"])  # before the settings, which nobody knows without their market
        except ConfigError as error:
            raise ConfigError(f"{source}: {error}") from None
    for key, value in table.items():
        if key in META:
            continue
        # the plain name of a market is a setting too
        if (key in GROUPS and isinstance(value, list)) or (key in REST and not isinstance(value, dict)):
            raise ConfigError(f"{source}: {no_table(key, value)}: write [{key}] once, above its settings")
        if isinstance(value, dict):
            if key not in GROUPS:
                raise ConfigError(f"{source}: unknown table '[{key}]': there are {choose(key, GROUPS)[7:]}")
            entries = {f"{key}.{name}": item for name, item in value.items()}
        else:
            entries = {key: value}
        for name, item in entries.items():
            try:
                # old names stay for upgrade(), which knows for which market they stood
                full = name if name in DROPPED or (name.partition(".")[2] and new_key(name)) else field(name).key
                _keep(values, full, tuple(item) if isinstance(item, list) else item)
            except ConfigError as error:
                raise ConfigError(f"{source}: {error}") from None
    return values


def toml_value(value: Any) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    # TOML's basic strings escape as JSON does, but for DEL and surrogate pairs.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
