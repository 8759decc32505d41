"""Columns of the list of runs, and how many fit a width."""

from __future__ import annotations

from collections.abc import Sequence

from mmrl.settings.fields import field, fields

from .runs_table import Column

COLUMNS = {
    "mark": (" ", 1),
    "state": ("STATE", 10),
    "name": ("NAME", 24),
    "market": ("MARKET", 6),
    "algorithm": ("LEARNER", 9),
    "epoch": ("EPOCH", 16),
    "value": ("FINAL VALUE", 14),
    "trend": ("TREND", 12),
    "optimality": ("OPTIMUM", 8),
    "training.lr": ("LR", 7),
    "run.seed": ("SEED", 6),
    "speed": ("STEPS/S", 7),
    "age": ("AGE", 6),
}
"""Title and width of each, in the order in which they stand; a key with a dot is a setting."""
ALWAYS = ("mark", "state", "name")
USUAL = ("epoch", "value", "age", "market", "optimality", "training.lr", "run.seed", "trend", "algorithm", "speed")
"""The most wanted first."""
LEAST_NAME = 24  # columns for the name, before another column is shown
NUMBERS = ("value", "optimality", "speed", "age")
BARS_FROM = 100  # columns of the terminal from which progress is drawn as a bar
HIDDEN_SETTINGS = ("run.name", "run.results")


def laid_out(width: int, wanted: Sequence[str]) -> list[Column]:
    """Columns for a terminal: as many of the `wanted` ones as fit beside the name, or of the usual ones if none are."""
    widths = {name: _width(name, width) for name in ALWAYS}
    room = width - 2 - sum(widths[name] + 2 for name in ALWAYS) + widths["name"]
    least = LEAST_NAME if not wanted else 12
    chosen: list[str] = []
    for number, name in enumerate(wanted or USUAL):
        columns = _width(name, width)
        if room - columns - 2 < (least if number > 2 else 10):
            break
        chosen.append(name)
        room -= columns + 2
    if not wanted:
        chosen.sort(key=list(COLUMNS).index)
    widths |= {name: _width(name, width) for name in chosen} | {"name": max(room, 10)}
    return [
        Column(name, title(name), widths[name], name in NUMBERS or "." in name, name == "name")
        for name in (*ALWAYS, *chosen)
    ]


def title(name: str) -> str:
    """The title of a column."""
    return COLUMNS[name][0] if name in COLUMNS else field(name).name.upper()


def _width(name: str, terminal: int) -> int:
    if name == "epoch" and terminal < BARS_FROM:
        return 9
    return COLUMNS[name][1] if name in COLUMNS else max(len(title(name)), 8)


def choices() -> dict[str, str]:
    """What a column can show, by name: facts of a run, then settings."""
    names = {
        "epoch": "epoch of target",
        "value": "final value",
        "age": "time since the last epoch",
        "market": "market",
        "optimality": "value divided by that of the optimum",
        "training.lr": "training.lr",
        "run.seed": "run.seed",
        "trend": "value over the epochs",
        "algorithm": "learner",
        "speed": "steps per second",
    }
    return names | {spec.key: spec.key for spec in fields() if spec.key not in HIDDEN_SETTINGS}
