"""`mmrl runs show`: a run as its owner asks for it: how it stands, how good it is, what is special, what comes next."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from mmrl.commands.runs_table import ago, as_row, moment
from mmrl.plots.numbers import HALF, amount, percent
from mmrl.plots.table import Column, pairs, room, table
from mmrl.plots.text import duration
from mmrl.runs import config_file, listing
from mmrl.runs.following import lines, shown_path, steps
from mmrl.runs.history import read_metrics
from mmrl.runs.status import read_raw, word
from mmrl.settings.departures import departures
from mmrl.settings.fields import shown
from mmrl.settings.model import Config
from mmrl.settings.sources import StoredConfig
from mmrl.statistics.intervals import recorded_half


def show(run: str, results: str, as_json: bool) -> None:
    """Print all that is known of one run."""
    info = listing.find_run(run, results)
    print(json.dumps(as_row(info)) if as_json else "\n".join(about(info, room())))


def about(info: listing.RunInfo, width: int) -> Iterator[str]:
    """The lines about a run."""
    folder = Path(info.folder)
    try:
        stored = config_file.read_config(folder)
    except (ValueError, OSError) as error:
        stored, broken = None, str(error)
    yield info.name
    facts = [*_facts(info, folder), *([("fault", broken)] if stored is None else [])]
    yield from pairs([(f"  {name}", text) for name, text in facts if text], width)
    if stored is not None:
        yield ""
        yield from _settings(stored, width)
    yield ""
    yield f"files in {shown_path(folder)}"
    yield from pairs([(f"  {name}", text) for name, text in _files(folder)], width)
    yield ""
    yield "next"
    yield from lines(_next(info, stored.config if stored else None))


def _facts(info: listing.RunInfo, folder: Path) -> Iterator[tuple[str, str]]:
    status = read_raw(folder)
    spent = (
        ""
        if info.started is None or info.updated is None
        else f", {duration(info.updated - info.started)} after the start"
    )
    yield "state", f"{word(info.state)}, epoch {info.epoch} of {info.target}"
    yield "error", str(status.get("error") or "")
    yield "started", moment(info.started)
    yield "updated", f"{moment(info.updated)}{spent}, {ago(info.updated)}" if info.updated else ""
    yield "market", info.market + (f", fitted to {info.market_from}" if info.market_from else "")
    yield "learner", f"{info.algorithm}, learning rate {info.lr:g}, seed {info.seed}" if info.lr is not None else ""
    if info.value_mean is not None:
        yield "value", f"{amount(info.value_mean, info.value_half)} at epoch {info.epoch} ({HALF})"
    yield "best", _best(folder)
    if info.optimality is not None:
        yield "optimality", f"{percent(info.optimality)} of the exact optimum"
    yield "speed", "" if info.steps_per_second is None else f"{info.steps_per_second:,.0f} steps/s"
    yield "id", info.id


def _best(folder: Path) -> str:
    """Value and epoch of the policy with the best grade; by mean value where none was graded."""
    try:
        records = read_metrics(folder / listing.METRICS)
    except (ValueError, OSError):
        return ""
    graded = [r for r in records if isinstance(r.get("grade"), int | float)]
    judged = graded or [r for r in records if isinstance(r.get("value_mean"), int | float)]
    if not judged:
        return ""
    best = max(judged, key=lambda r: r["grade" if graded else "value_mean"])
    value = best.get("value_mean")
    text = f"epoch {best.get('epoch')}"
    text += f", value {amount(value, recorded_half(best))}" if isinstance(value, int | float) else ""
    if graded:
        text += f", grade {amount(best['grade'], digits=6)}"
    share = best.get("optimality")
    return text + (f", optimality {percent(share)}" if isinstance(share, int | float) else "")


def _settings(stored: StoredConfig, width: int) -> Iterator[str]:
    """The settings that differ from those of the preset that the run began with, or from the defaults."""
    preset, found = departures(stored)
    rows = [(d.key, shown(d.value), "" if d.usual is None else shown(d.usual), d.origin) for d in found]
    base = f"preset {preset}" if preset else f"the defaults of {stored.config.market.name}"
    if not rows:
        yield f"settings: those of {base}"
        return
    yield f"settings that differ from {base}"
    heads = [
        Column("  setting", "label"),
        Column("value", "text"),
        Column(base.split()[0], "text"),
        Column("given by", "text"),
    ]
    yield from table(heads, [(f"  {key}", *rest) for key, *rest in rows], width)


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    """The files of a run folder, folders summed up."""
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.name == "lock" or path.is_symlink():
            continue
        inner = [each for each in path.iterdir() if each.is_file()] if path.is_dir() else [path]
        size = sum(each.stat().st_size for each in inner)
        count = f"{len(inner)} files, " if path.is_dir() else ""
        yield path.name + ("/" if path.is_dir() else ""), f"{count}{_bytes(size)}"


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def _next(info: listing.RunInfo, config: Config | None) -> list[tuple[str, str]]:
    from mmrl.markets.contract import spec_of  # which needs numpy

    agent = "" if config is None else next(iter(spec_of(config).usual_agents), "")
    state = "broken" if config is None else info.state
    return steps(Path(info.folder), state, info.epoch, agent=agent, target=info.target, lr=info.lr or 0.0)
