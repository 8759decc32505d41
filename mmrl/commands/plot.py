"""What `mmrl plot` does: finds the runs, reads their files, draws them on the terminal or into a file."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmrl.display.progress import printable
from mmrl.settings.model import ConfigError

SUFFIXES = (".txt", ".svg", ".png", ".pdf")
METRICS = ("reward_mean", "inventory_mean", "spread_mean")


def plot(
    names: Sequence[str],
    good_results: bool,
    results: str,
    what: str = "training",
    metrics: Sequence[str] = (),
    save: str | None = None,
    width: int | None = None,
    height: int | None = None,
) -> None:
    """Draw the named runs, every shipped one, or the newest; print, or write a file by its suffix."""
    if save is not None and Path(save).suffix.lower() not in SUFFIXES:
        raise ConfigError(f"--save {save}: the name must end in one of {', '.join(SUFFIXES)}")
    if save is not None and not Path(save).parent.is_dir():
        raise ConfigError(f"--save {save}: there is no folder {Path(save).parent}")
    folders = chosen_folders(names, good_results, results)
    if save is not None and Path(save).suffix.lower() != ".txt":
        from mmrl.plots import figures

        for path in figures.save_figure(folders, what, list(metrics), Path(save), width, height):
            print(f"wrote {printable(path)}")
        return
    terminal = shutil.get_terminal_size((100, 30))
    size = width or terminal.columns, height or max(terminal.lines - 2, 16)
    if save is not None:
        Path(save).write_text(drawing(folders, what, metrics, *size, False) + "\n", encoding="utf-8")
        print(f"wrote {printable(save)}")
        return
    from mmrl.plots.charts import charset, wants_colour

    text = drawing(folders, what, metrics, *size, wants_colour(sys.stdout), charset(sys.stdout))
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


def chosen_folders(names: Sequence[str], good_results: bool, results: str) -> list[Path]:
    """Folders of the runs to draw, at least one."""
    from mmrl.runs.store import find_run, find_runs

    if names:
        return [Path(find_run(name, "good-results" if good_results else results).folder) for name in names]
    root = "good-results" if good_results else results
    found: list[Any] = list(find_runs(root))
    if not found:
        raise ConfigError(f"no runs in {root}: name one, or start one with mmrl train --preset quickstart")
    if not good_results:
        found = [max(found, key=lambda info: info.updated or 0)]
    return [Path(info.folder) for info in found]


def time_unit(folder: Path) -> str:
    """Unit of a run's time axis, nothing if the run does not say."""
    import tomllib

    from mmrl.markets.contract import market_named
    from mmrl.runs.atomic import read_plain
    from mmrl.settings.registry import markets, settings_class

    try:
        market = tomllib.loads(read_plain(folder / "config.toml", 1_000_000).decode()).get("market", {}).get("name", "")
    except (OSError, ValueError, AttributeError):
        return ""
    if market not in markets():
        return ""
    return market_named(market).spec(settings_class(market)()).time_unit


def records_of(folders: Sequence[Path], metrics: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Epoch records of runs by name; refuses a metric that none of them has."""
    from mmrl.runs.history import read_metrics

    runs: dict[str, list[dict[str, Any]]] = {}
    for folder in folders:
        name = printable(folder.name)
        runs[f"{name} ({folder.parent})" if name in runs else name] = read_metrics(folder / "metrics.jsonl")
    rows = [row for records in runs.values() for row in records]
    unknown = [name for name in metrics if not any(name in row or f"{name}_mean" in row for row in rows)]
    if rows and unknown:
        known = ", ".join(key for key in rows[-1] if key not in ("epoch", "wall"))
        raise ConfigError(f"unknown metric '{unknown[0]}': there are {known}")
    return runs


def drawing(
    folders: Sequence[Path],
    what: str,
    metrics: Sequence[str],
    width: int,
    height: int,
    color: bool,
    characters: Any = None,
) -> str:
    """Runs as text for a terminal of `width` columns and `height` lines."""
    from mmrl.plots import charts
    from mmrl.plots.raster import BRAILLE

    characters = characters or BRAILLE
    if what == "training":
        runs = records_of(folders, metrics)
        chosen = list(metrics or METRICS)
        if len(runs) > 1:
            return charts.comparison_figure(runs, chosen, width, height, color, characters)
        [(name, records)] = runs.items()
        if not records:
            return f"{name}: no epoch is finished yet"
        return f"{name}\n{charts.training_figure(records, chosen, width, height, color, characters)}"
    from mmrl.runs.episodes import latest_episode

    parts = []
    for folder in folders:
        name, unit = printable(folder.name), time_unit(folder)
        episode = latest_episode(folder)
        if episode is None:
            parts.append(f"{name}: no episode is written yet (see --plot-after)")
        elif what == "episode":
            picture = charts.episode_figure(episode, width, height, color, unit=unit, characters=characters)
            parts.append(f"{name}: mean and 5 to 95 % of a sampled batch\n{picture}")
        else:
            picture = charts.book_figure(episode, width, height, color, unit=unit, characters=characters)
            parts.append(f"{name}: the longest trajectory of a sampled batch\n{picture}")
    return "\n".join(parts)
