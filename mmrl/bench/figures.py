"""What the turns say: medians with their lowest and highest value, as JSON and as a table."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import Any

from mmrl.bench.cases import CALIBRATION, CASES, RATIOS
from mmrl.bench.turns import Turn, Turns, with_ratios
from mmrl.plots.table import Column, table
from mmrl.runs.machine import cpus, memory

LOOP, PRODUCT = (case.name for case in CALIBRATION[:2])
UNITS = {name: unit for case in (*CALIBRATION, *CASES) for name, unit in case.figures.items()} | {
    ratio.name: "times" for ratio in RATIOS
}
SECONDS = ("s", "CPU s")


def machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy it was with other work before."""
    from mmrl.rollout.devices import cpu

    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    found = {"cpu": cpu(), "cpus": cpus(), "memory_gb": round(memory() / 2**30, 1), "load": load}
    return {**found, "system": platform.platform(), "python": platform.python_version(), **_versions()}


def _versions() -> dict[str, str]:
    found = {}
    for name in ("numpy", "numba", "torch"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "absent"
    return found


def summary(turns: Turns) -> list[dict[str, Any]]:
    """One object a figure: name, value, unit, low, high; `loops` and `flop`, the iterations of the calibration's loop
    and the floating-point operations of its matrix product in the time of one unit (a step, a row, a start).

    With another commit also `there`, its value, and `ratio`, `ratio_low`, `ratio_high`: how many times as good this one
    is, faster or smaller.
    """
    found, calibrated = [], [turn for group in turns.by_group.values() for turn in group["here"]]
    for case in CALIBRATION:
        values = [turn[case.name] for turn in calibrated if case.name in turn]
        found += [_figure(case.name, values)] if values else []
    for group in turns.by_group.values():
        here = with_ratios(group["here"], RATIOS)
        there = with_ratios(group.get("there", []), RATIOS)
        for name in dict.fromkeys(name for turn in here for name in turn):
            if any(name == case.name for case in CALIBRATION):
                continue
            figure = _figure(name, [turn[name] for turn in here if name in turn])
            figure |= {"loops": _worth(here, name, LOOP), "flop": _worth(here, name, PRODUCT)}
            found.append(figure | (_against(here, there, name) if there else {}))
    return found


def _figure(name: str, values: Sequence[float]) -> dict[str, Any]:
    return {"name": name, "value": median(values), "unit": UNITS[name], "low": min(values), "high": max(values)}


def _worth(turns: Sequence[Turn], name: str, calibration: str) -> float | None:
    """Units of a calibration in the time of one unit of a figure; None where a figure is no time."""
    unit = UNITS[name]
    pairs = [(t[name], t[calibration]) for t in turns if t.get(name) and calibration in t]
    if not pairs or not (unit in SECONDS or unit.endswith("/s")):
        return None
    return median(rate * value if unit in SECONDS else rate / value for value, rate in pairs)


def _against(here: Sequence[Turn], there: Sequence[Turn], name: str) -> dict[str, Any]:
    """The other commit's value, and how many times as good this one is."""
    pairs = [(a[name], b[name]) for a, b in zip(here, there, strict=True) if a.get(name) and b.get(name)]
    if not pairs:
        return {"there": None, "ratio": None, "ratio_low": None, "ratio_high": None}
    more = UNITS[name].endswith("/s")
    ratios = [mine / other if more else other / mine for mine, other in pairs]
    there_value = median(other for _, other in pairs)
    return {"there": there_value, "ratio": median(ratios), "ratio_low": min(ratios), "ratio_high": max(ratios)}


def report(figures: Sequence[Mapping[str, Any]], width: int) -> list[str]:
    """A table of the figures."""
    compared = any("ratio" in figure for figure in figures)
    columns = [Column("measured", "label"), *map(Column, ("value", "low", "high", "unit", "loops"))]
    columns += [Column(title) for title in ("there", "ratio", "from", "to")] if compared else []
    rows = []
    for figure in figures:
        row = [str(figure["name"]), *(short(figure[key]) for key in ("value", "low", "high"))]
        row += [str(figure["unit"]), short(figure.get("loops"))]
        if compared:
            row += [short(figure.get(key)) for key in ("there", "ratio", "ratio_low", "ratio_high")]
        rows.append(row)
    return table(columns, rows, width)


def short(value: float | None) -> str:
    """A number with three digits, and k, M, G or T for the thousands."""
    if value is None:
        return "-"
    if value == 0 or 1e-3 <= abs(value) < 999.5:
        return f"{value:.3g}"
    for mark in ("", "k", "M", "G", "T"):
        if abs(value) < 999.5:
            return f"{value:.3g}{mark}"
        value /= 1000
    return f"{value:.3g}P"
