"""The colours of things, once: terminal charts, the terminal UI, figures and the pictures of the docs read them here.

All hues are told apart by colour-blind readers (after Okabe and Ito); where two may meet, a mark tells them apart too.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Hue:
    """One colour: on a dark and on a light background, of the 256 of a terminal, and there as a tint for what stands
    behind a line (a band, raw values)."""

    dark: str
    light: str
    number: int
    tint: int


THINGS = {
    "bid": Hue("#56B4E9", "#0072B2", 32, 67),
    "ask": Hue("#E69F00", "#B87500", 172, 137),
    "mid": Hue("#BBBBBB", "#555555", 244, 240),
    "inventory": Hue("#CC79A7", "#A2487A", 169, 132),
    "value": Hue("#00B98A", "#007A5A", 36, 65),
    "optimum": Hue("#F0E442", "#8A7A00", 142, 101),
    "reward": Hue("#9AA5FF", "#4B4FC4", 105, 103),
    "spread": Hue("#E8695A", "#B3362B", 167, 131),
    "wealth": Hue("#6CC5C9", "#1F7A80", 73, 66),
    "other": Hue("#8FA9BF", "#47617A", 110, 109),
}
"""What a chart shows; `other` is whatever has no name here."""
RUNS = (
    THINGS["bid"],
    THINGS["ask"],
    THINGS["value"],
    THINGS["inventory"],
    THINGS["optimum"],
    Hue("#D55E00", "#B84A00", 166, 130),
    THINGS["reward"],
    THINGS["mid"],
)
"""Runs and agents on shared axes, in the order of their names: what they are is said by the legend."""
HUES = (*THINGS.values(), *RUNS)
"""All of them; a chart of the terminal UI names a colour by its place here."""
_OF_METRICS = {"optimality": "optimum", "grade": "value", "final_inventory": "inventory", "inventory_abs": "inventory"}


def thing_of(metric: str) -> str:
    """The thing whose colour a metric of training has: reward_mean -> reward."""
    name = metric.removesuffix("_mean")
    name = _OF_METRICS.get(name, name)
    return name if name in THINGS else "other"


def of_run(number: int) -> Hue:
    """The colour of run or agent `number` of a comparison."""
    return RUNS[number % len(RUNS)]


def place_of(thing: str) -> int:
    """The place of a thing in `HUES`."""
    return list(THINGS).index(thing)


def place_of_run(number: int) -> int:
    """The place of a run or agent in `HUES`."""
    return len(THINGS) + number % len(RUNS)
