"""config.toml of a run: all its settings, where each came from, and notes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import BrokenRun, durable_write, read_plain
from mmrl.runs.listing import CONFIG, LARGEST_CONFIG, USUAL_CONFIG
from mmrl.runs.seal import is_torn, seal
from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import shown, values_of
from mmrl.settings.model import Config
from mmrl.settings.sources import StoredConfig, dump_toml, load_toml, replaced

LIVE_EDIT = "live edit"
"""How the origin of a setting begins that was changed while the run trained."""


def write_config(folder: Path, config: Config, origins: Mapping[str, str], meta: Mapping[str, Any]) -> None:
    """Write config.toml durably, with its SHA-256 on the last line."""
    durable_write(folder / CONFIG, seal(dump_toml(config, origins, meta).encode()))


@lru_cache(maxsize=1024)
def _parsed(data: bytes, path: str) -> StoredConfig:
    return load_toml(data.decode("utf-8"), path)


def _settings(data: bytes, path: str) -> StoredConfig:
    """The settings in a file; an unchanged file is parsed only once, as watchers read it many times a second."""
    stored = _parsed(data, path) if len(data) < USUAL_CONFIG else _parsed.__wrapped__(data, path)
    return replace(stored, origins=dict(stored.origins), meta=dict(stored.meta))


def kept_edits(stored: StoredConfig, config: Config) -> Config:
    """Settings with the values that a run was given while it trained, by `mmrl runs change` or the terminal UI."""
    values = values_of(stored.config)
    return replaced(config, {key: values[key] for key in edited(stored)})


def edited(stored: StoredConfig) -> list[str]:
    """Keys of the settings that a run was given while it trained."""
    values = values_of(stored.config)
    return [key for key, origin in stored.origins.items() if origin.startswith(LIVE_EDIT) and key in values]


def in_words(config: Config, keys: Iterable[str]) -> str:
    """Some settings by dotted key, with their values; empty where there are none."""
    values = values_of(config)
    return ", ".join(f"{key} = {shown(values[key])}" for key in keys)


def read_config(folder: Path) -> StoredConfig:
    """The settings of a run; raises ConfigError naming the file when they cannot be used."""
    path = folder / CONFIG
    try:
        data = read_plain(path, LARGEST_CONFIG)
        if is_torn(data):
            raise ConfigError(f"{path} does not match its SHA-256: restore it, or follow its first line")
        stored = _settings(data, str(path))
        if not stored.meta.get("id"):  # a file without its beginning would otherwise look like the defaults
            raise ConfigError(f"{path} has no id in [meta]: it is not the config.toml of a run")
        return stored
    except BrokenRun as error:
        raise ConfigError(str(error)) from None
    except (UnicodeDecodeError, RecursionError):
        raise ConfigError(f"{path} is not a text file of settings") from None
