"""Run folders in, pictures as text out: training curves, a sampled batch, or the order book."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mmrl.markets.contract import usual_spec
from mmrl.plots import charts, episodes
from mmrl.plots.picture import BRAILLE, Charset
from mmrl.plots.text import printable
from mmrl.runs.atomic import read_plain
from mmrl.runs.book_recording import read_recording
from mmrl.runs.episodes import latest_episode
from mmrl.runs.goals import METRICS as METRICS_FILE
from mmrl.runs.history import read_metrics, unreadable
from mmrl.runs.metrics import drawable
from mmrl.runs.over_seeds import Together
from mmrl.settings.errors import ConfigError, choose


def time_unit(folder: Path) -> str:
    """Unit of a run's time axis, nothing if the run does not say."""
    spec = usual_spec(_market(folder).get("name", ""))
    return "" if spec is None else spec.time_unit


def counted_from(folder: Path) -> str:
    """What the distances of a run's quotes are counted from."""
    best = _market(folder).get("distance_from", "mid") == "best"
    return "the best price of its side" if best else "the mid"


def _market(folder: Path) -> dict[str, Any]:
    """The settings of a run's market as its file has them, nothing where that cannot be read."""
    try:
        market = tomllib.loads(read_plain(folder / "config.toml", 1_000_000).decode()).get("market", {})
    except (OSError, ValueError):
        return {}
    return market if isinstance(market, dict) else {}


def records_of(folders: Sequence[Path | Together], metrics: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Epoch records by name, of groups means over their runs; refuses a metric that none of them has."""
    runs: dict[str, list[dict[str, Any]]] = {}
    for folder in folders:
        name = printable(folder.name)
        records = folder.records() if isinstance(folder, Together) else read_metrics(folder / METRICS_FILE)
        runs[f"{name} ({folder.parent})" if name in runs else name] = records
    rows = [row for records in runs.values() for row in records]
    unknown = [name for name in metrics if not any(name in row or f"{name}_mean" in row for row in rows)]
    if rows and unknown:
        known = drawable(dict.fromkeys(key for row in rows for key in row))
        raise ConfigError(
            f"unknown metric '{unknown[0]}': there are {choose(unknown[0], known).removeprefix('one of ')}"
        )
    return runs


def single(folders: Sequence[Path | Together]) -> list[Path]:
    """The folders of all runs, those of groups one by one."""
    return [one for each in folders for one in (each.folders if isinstance(each, Together) else (each,))]


def without_epochs(folder: Path) -> str:
    """Why there is nothing to draw of a run."""
    damaged = unreadable(folder / METRICS_FILE)
    return f"no epoch can be read: mmrl runs doctor {folder.name}" if damaged else "no epoch is finished yet"


def default_metrics(runs: Mapping[str, Sequence[Mapping[str, Any]]]) -> tuple[str, ...]:
    """Metrics that are drawn of these runs unless told otherwise."""
    return charts.panels_of([row for records in runs.values() for row in records])


def drawing(
    folders: Sequence[Path | Together],
    what: str,
    metrics: Sequence[str],
    width: int,
    height: int,
    colour: bool,
    characters: Charset = BRAILLE,
) -> str:
    """Runs as text for a terminal of `width` columns and `height` lines."""
    if what == "training":
        runs = records_of(folders, metrics)
        chosen = metrics or default_metrics(runs)
        if len(runs) > 1:
            return charts.comparison_figure(runs, chosen, width, height, colour, characters)
        [(name, records)] = runs.items()
        if not records:
            return f"{name}: {without_epochs(single(folders)[0])}"
        return f"{name}\n{charts.training_figure(records, chosen, width, height, colour, characters)}"
    parts = []
    for folder in single(folders):
        name, unit = printable(folder.name), time_unit(folder)
        episode = latest_episode(folder)
        if episode is None:
            parts.append(f"{name}: no episode is written yet (see --plot-after)")
        elif what == "episode":
            picture = episodes.episode_figure(episode, width, height, colour, unit=unit, characters=characters)
            parts.append(f"{name}: mean and 5 to 95 % of a sampled batch\n{picture}")
        else:
            picture = episodes.book_figure(episode, width, height, colour, unit=unit, characters=characters)
            book = "" if read_recording(episode) else " (there is no order book of it)"
            parts.append(f"{name}: the longest trajectory of a sampled batch{book}\n{picture}")
    return "\n".join(parts)
