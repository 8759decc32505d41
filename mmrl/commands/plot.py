"""What `mmrl plot` does: finds the runs and shows their pictures on the terminal or writes them into a file."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from mmrl.plots import figures, pictures
from mmrl.plots.output import say, terminal_size
from mmrl.plots.streams import charset, wants_colour
from mmrl.plots.text import printable
from mmrl.runs import groups as grouping
from mmrl.runs.history import left_out
from mmrl.runs.listing import describe, find_run, find_runs
from mmrl.runs.names import good_folder
from mmrl.runs.outputs import check_output
from mmrl.runs.over_seeds import Together
from mmrl.settings.errors import ConfigError

TRIALS = 8
"""Of a sweep that are drawn, the best ones."""
SUFFIXES = (".txt", ".svg", ".png", ".pdf")


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
    if save is not None:
        check_output("--save", save)
    folders = chosen_folders(names, good_results, results)
    for folder in pictures.single(folders):
        if told := left_out(folder):
            say(f"{printable(folder.name)}: {printable(told)}", sys.stderr)
    groups = by_market(folders)
    if save is not None and Path(save).suffix.lower() != ".txt":
        for market, folders in groups.items():
            target = Path(save) if len(groups) == 1 else Path(save).with_stem(f"{Path(save).stem}-{market}")
            for path in figures.save_figure(folders, what, list(metrics), target, width, height):
                print(f"wrote {printable(path)}")
        return
    columns, lines = terminal_size()
    size = width or columns, height or max(lines - 2, 16)
    shows = (*size, False) if save else (*size, wants_colour(sys.stdout), charset(sys.stdout))
    parts = []
    for market, folders in groups.items():
        picture = pictures.drawing(folders, what, metrics, *shows)
        parts.append(picture if len(groups) == 1 else f"market {printable(market)}\n{picture}\n")
    text = "\n".join(parts)
    if save is not None:
        Path(save).write_text(text + "\n", encoding="utf-8")
        print(f"wrote {printable(save)}")
        return
    encoding = sys.stdout.encoding or "utf-8"
    print(text.encode(encoding, "replace").decode(encoding))


def by_market(folders: Sequence[Path | Together]) -> dict[str, list[Path | Together]]:
    """Runs by their market: values of different markets have no common axis."""
    groups: dict[str, list[Path | Together]] = {}
    for folder in folders:
        first = folder.folders[0] if isinstance(folder, Together) else folder
        groups.setdefault(describe(first).market or "unknown", []).append(folder)
    return groups


def chosen_folders(names: Sequence[str], good_results: bool, results: str) -> list[Path | Together]:
    """Folders of the runs to draw, at least one; good-results stands beside the folder of results.

    A group of seeds is drawn as one, of a sweep its best trials.
    """
    root = str(good_folder(results)) if good_results else results
    if names:
        return [one for name in names for one in _named(name, root)]
    found = find_runs(root)
    if not found:
        remedy = (
            "a clone of the repository has some, and mmrl runs promote RUN copies a run there"
            if good_results
            else "name one, or start one with mmrl train --preset quickstart"
        )
        raise ConfigError(f"no runs in {root}: {remedy}")
    if not good_results:
        found = [max(found, key=lambda info: info.updated or 0)]
    return [Path(info.folder) for info in found]


def _named(name: str, root: str) -> list[Path | Together]:
    found = grouping.members(name, root)
    if not found:
        return [Path(find_run(name, root).folder)]
    if grouping.is_sweep(found):
        return [Path(info.folder) for info in grouping.ranked(found)[:TRIALS]]
    return [Together(name, tuple(Path(info.folder) for info in found))]
