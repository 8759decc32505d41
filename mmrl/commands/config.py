"""What `mmrl config` prints: the settings of a run, a preset or a file, or in what two of them differ."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmrl.plots.output import terminal_size
from mmrl.plots.table import Column, table
from mmrl.runs.names import BadRunName
from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import shown, values_of
from mmrl.settings.files import read_text
from mmrl.settings.market_file import market_file
from mmrl.settings.sources import StoredConfig, dump_toml, presets, resolve

PLACE = ("run.name", "run.results")
"""Settings that say where a run is, not what it is."""


def show(name: str | None, other: str | None, schema: bool, results: str, as_json: bool) -> None:
    """Print settings as TOML that `mmrl train --config` takes, the differences of two, or the schema of such files."""
    if schema:
        from mmrl.settings.schema import schema as of_all

        print(json.dumps(of_all(), indent=2, ensure_ascii=False))
        return
    if name is None:
        raise ConfigError("say whose settings: mmrl config RUN|PRESET|FILE, or --schema")
    found = _settings(name, results)
    if other is None:
        flat = {"config": values_of(found.config), "origins": found.origins}
        print(json.dumps(flat) if as_json else dump_toml(found.config, found.origins).rstrip("\n"))
        return
    rows = list(differences(found, _settings(other, results)))
    if as_json:
        print(json.dumps([{"key": key, "first": a, "second": b} for key, a, b in rows]))
    elif rows:
        columns = [Column("setting", "label"), Column(name, "label"), Column(other, "label")]
        cells = [(key, "-" if a is None else shown(a), "-" if b is None else shown(b)) for key, a, b in rows]
        print("\n".join(table(columns, cells, terminal_size()[0])))
    else:
        print(f"{name} and {other} have the same settings")


def differences(one: StoredConfig, other: StoredConfig) -> Iterator[tuple[str, Any, Any]]:
    """Key and both values of each setting that differs; None where a market has no such setting."""
    first, second = values_of(one.config), values_of(other.config)
    for key in dict.fromkeys([*first, *second]):
        if key not in PLACE and first.get(key) != second.get(key):
            yield key, first.get(key), second.get(key)


def _settings(name: str, results: str) -> StoredConfig:
    """The settings of a file, a preset or a run, in this order."""
    from mmrl.runs.config_file import read_config
    from mmrl.runs.find import anywhere
    from mmrl.runs.listing import RunNotFound

    if os.path.isfile(name):
        path, text = read_text(name, "FILE")
        fitted = market_file(path, text)
        return StoredConfig(*(resolve({}, fitted=fitted) if fitted else resolve({}, name)), {})
    if name in presets() and not known_run(name, results):
        return StoredConfig(*resolve({}, None, name), {})
    try:
        return read_config(Path(anywhere(name, results).folder))
    except (RunNotFound, BadRunName) as error:
        raise RunNotFound(f"{name} is no file, no preset ({', '.join(presets())}) and no run: {error}") from None


def known_run(name: str, results: str) -> bool:
    """Whether a folder of runs has one of exactly this name."""
    return "/" not in name and (Path(results) / name / "config.toml").is_file()
