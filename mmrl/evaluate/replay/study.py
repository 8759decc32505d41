"""Makers side by side on one tape, and the gap between it and the simulated market."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mmrl.evaluate.compare import Entrant
from mmrl.evaluate.replay.figures import difference, figures, half
from mmrl.evaluate.replay.play import Int64, Played, Rules, replay
from mmrl.evaluate.replay.simulated import simulated_row
from mmrl.evaluate.replay.tape import Tape


@dataclass(frozen=True)
class Study:
    """What all makers did, the first one's run first, and the rows of the report."""

    played: list[Played]
    rows: list[dict[str, Any]]
    simulated: dict[str, Any] | None


def study(
    entrants: Sequence[Entrant], tape: Tape, rules: Rules, decisions: Int64, trajectories: int, seed: int
) -> Study:
    """Let all makers play the tape, each alone; differences are against the first."""
    played = [replay(entrant, tape, rules, decisions) for entrant in entrants]
    rows = []
    for each in played:
        row = figures(each)
        row["difference"], row["difference_ci"] = difference(each, played[0])
        rows.append(row)
    simulated = simulated_row(entrants[0], played[0], trajectories, seed) if trajectories else None
    return Study(played, rows, simulated)


def gap(row: dict[str, Any], simulated: dict[str, Any]) -> tuple[float, float]:
    """What the tape paid less than the simulation, and half of its interval (NaN where the tape has none)."""
    return simulated["pnl"] - row["pnl"], math.hypot(half(row["pnl_ci"]), half(simulated["pnl_ci"]))


def sweep(
    entrants: Sequence[Entrant], tape_of: Any, rules: Rules, decisions_of: Any, name: str, values: Sequence[Any]
) -> dict[str, list[dict[str, Any]]]:
    """Rows of each maker by the values of a rule; a tape of one's own for each latency, by which it arrives."""
    found: dict[str, list[dict[str, Any]]] = {entrant.name: [] for entrant in entrants}
    for value in values:
        own = replace(rules, **{name: value})
        tape = tape_of(own)
        decisions = decisions_of(tape, own)
        for entrant in entrants:
            found[entrant.name].append(figures(replay(entrant, tape, own, decisions)))
    return found
