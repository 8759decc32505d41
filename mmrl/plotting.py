"""What `mmrl plot` does: finds the runs, reads their files, draws them on the terminal or into a file."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmrl.config import ConfigError

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
    folders = chosen_folders(names, good_results, results)
    if save is not None and Path(save).suffix.lower() != ".txt":
        from mmrl import figures

        figures.save_figure(folders, what, list(metrics), Path(save), width, height)
        print(f"wrote {save}")
        return
    terminal = shutil.get_terminal_size((100, 30))
    color = save is None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    size = width or terminal.columns, height or max(terminal.lines - 2, 16)
    text = "\n".join(drawing(folder, what, metrics, *size, color) for folder in folders)
    if save is None:
        print(text)
    else:
        Path(save).write_text(text + "\n", encoding="utf-8")
        print(f"wrote {save}")


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


def drawing(folder: Path, what: str, metrics: Sequence[str], width: int, height: int, color: bool) -> str:
    """One run as text for a terminal of `width` columns and `height` lines."""
    from mmrl import charts

    if what == "training":
        from mmrl.runs.history import read_metrics

        rows = read_metrics(folder / "metrics.jsonl")
        if not rows:
            return f"{folder.name}: no epoch is finished yet"
        unknown = [name for name in metrics if not any(name in row for row in rows)]
        if unknown:
            raise ConfigError(f"unknown metric '{unknown[0]}': there are {', '.join(rows[-1])}")
        chart = charts.training_figure(rows, list(metrics or METRICS), width=width, height=height, color=color)
        return f"{folder.name}\n{chart}"
    from mmrl.runs.episodes import latest_episode

    episode = latest_episode(folder)
    if episode is None:
        return f"{folder.name}: no episode is written yet (see --plot-after)"
    draw = charts.episode_figure if what == "episode" else charts.book_figure
    return f"{folder.name}\n{draw(episode, width=width, height=height, color=color)}"
