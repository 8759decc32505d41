"""Where settings come from: flag > environment MMRL_* > --config > --preset > default; TOML in and out."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from mmrl.settings.fields import field, fields, parse_text, suggestion, value_of
from mmrl.settings.model import GROUPS, Config, ConfigError, build

META = ("origins", "meta")
"""Tables of a run's config.toml that are about the settings and are not settings."""


@dataclass(frozen=True)
class StoredConfig:
    """A config read back from a run folder, with the origin of each value and what else was noted."""

    config: Config
    origins: dict[str, str]
    meta: dict[str, Any]


def resolve(
    flags: Mapping[str, Any],
    config_file: str | Path | None = None,
    preset: str | None = None,
    environ: Mapping[str, str] | None = None,
) -> tuple[Config, dict[str, str]]:
    """Merge all sources into a Config; also returns where each given value came from, by dotted key.

    `flags` maps keys (`training.lr` or `lr`) to typed values; None means not given.
    """
    layers: list[tuple[str, dict[str, Any]]] = []
    if preset:
        layers.append((f"preset {preset}", read_preset(preset)))
    if config_file:
        layers.append((f"file {config_file}", read_file(config_file)))
    if environ:
        for key, (variable, value) in read_environment(environ).items():
            layers.append((f"environment {variable}", {key: value}))
    layers.append(("flag", {field(key).key: value for key, value in flags.items() if value is not None}))
    merged: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for origin, values in layers:
        if origin.startswith(("preset", "file")):
            # A fault of a file is named with the file, even where a flag would cover it up.
            _checked(values, origin, complete=False)
        for key, value in values.items():
            merged[key], origins[key] = value, origin
    try:
        return build(nested(merged)), origins
    except ConfigError as error:
        origin = origins.get(str(error).split(" = ")[0], "flag")
        raise ConfigError(str(error) if origin == "flag" else f"{origin}: {error}") from None


def nested(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Dotted keys to groups of names."""
    groups: dict[str, dict[str, Any]] = {}
    for key, value in values.items():
        group, _, name = key.partition(".")
        groups.setdefault(group, {})[name] = value
    return groups


def set_values(pairs: Iterable[str]) -> dict[str, Any]:
    """Read `key=value` texts of --set into values by dotted key."""
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals:
            raise ConfigError(f"--set {pair}: write it as key=value, for example --set lr=0.001")
        spec = field(key.strip())
        values[spec.key] = parse_text(spec, text.strip())
    return values


def replaced(config: Config, values: Mapping[str, Any]) -> Config:
    """The same config with other values for some keys, checked again."""
    flat = {spec.key: value_of(config, spec) for spec in fields()}
    flat.update({field(key).key: value for key, value in values.items()})
    return build(nested(flat))


def presets() -> list[str]:
    """Names of the presets that come with the package."""
    folder = resources.files("mmrl.presets")
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def read_preset(name: str) -> dict[str, Any]:
    """Values of a preset by dotted key."""
    if name not in presets():
        raise ConfigError(f"unknown preset '{name}'" + _of(name, presets()))
    text = resources.files("mmrl.presets").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    return _flat(_parsed(text, f"preset {name}"), f"preset {name}")


def read_file(path: str | Path) -> dict[str, Any]:
    """Values of a TOML file by dotted key; the config.toml of a run will do."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise ConfigError(f"--config {path} cannot be read: {reason}") from None
    return _flat(_parsed(text, str(path)), str(path))


def read_environment(environ: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    """Values of MMRL_* variables by dotted key, each with its variable; unknown ones are left alone."""
    found: dict[str, tuple[str, Any]] = {}
    for spec in fields():
        if environ.get(spec.variable, "") != "":
            try:
                found[spec.key] = spec.variable, parse_text(spec, environ[spec.variable])
            except ConfigError as error:
                raise ConfigError(f"{spec.variable}: {error}") from None
    return found


def dump_toml(config: Config, origins: Mapping[str, str] | None = None, meta: Mapping[str, Any] | None = None) -> str:
    """All values as TOML, followed by the origins of those that were given and by notes about the run."""
    lines = []
    for group in GROUPS:
        lines.append(f"[{group}]")
        lines += [f"{s.name} = {_toml(value_of(config, s))}" for s in fields() if s.group == group]
        lines.append("")
    for title, table in (("origins", origins), ("meta", meta)):
        if table:
            lines.append(f"[{title}]")
            lines += [f"{_toml(str(key))} = {_toml(value)}" for key, value in table.items()]
            lines.append("")
    return "\n".join(lines)


def load_toml(text: str, source: str = "config.toml") -> StoredConfig:
    """Read what `dump_toml` wrote, or any TOML file of settings."""
    table = _parsed(text, source)
    meta, origins = table.get("meta", {}), table.get("origins", {})
    if not isinstance(meta, dict) or not isinstance(origins, dict):
        raise ConfigError(f"{source}: 'meta' and 'origins' must be tables")
    config = _checked(_flat(table, source), source)
    return StoredConfig(config, {str(key): str(value) for key, value in origins.items()}, meta)


def _checked(values: Mapping[str, Any], source: str, complete: bool = True) -> Config:
    try:
        return build(nested(values))
    except ConfigError as error:
        # Values of one source may contradict a default that another source changes: judged at the end.
        if not complete and " is not allowed: " not in str(error):
            return Config()
        raise ConfigError(f"{source}: {error}") from None


def _parsed(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{source} is not valid TOML: {str(error).splitlines()[0]}") from None


def _flat(table: Mapping[str, Any], source: str) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in table.items():
        if key in META:
            continue
        if isinstance(value, dict):
            if key not in GROUPS:
                raise ConfigError(f"{source}: unknown table '[{key}]'" + _of(key, GROUPS))
            entries = {f"{key}.{name}": item for name, item in value.items()}
        else:
            entries = {key: value}
        for name, item in entries.items():
            try:
                values[field(name).key] = tuple(item) if isinstance(item, list) else item
            except ConfigError as error:
                raise ConfigError(f"{source}: {error}") from None
    return values


def _of(name: str, known: Iterable[str]) -> str:
    known = list(known)
    guess = suggestion(name, known)
    return guess if "did you mean" in guess else ": there are " + ", ".join(known)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    # TOML's basic strings escape as JSON does, but for DEL and surrogate pairs.
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
