"""Themes, the colours of things in them (mmrl/plots/colours.py), marks of curves, signs and words of states."""

from __future__ import annotations

from textual.theme import Theme

from mmrl.plots.colours import HUES, THINGS

MARKS = ("●", "▲", "■", "◆", "○", "△", "□", "◇")
ASCII_MARKS = ("o", "x", "+", "*", "#", "@", "%", "=")

THEMES = (
    Theme(
        name="mmrl-dark",
        primary="#56B4E9",
        secondary="#8FA3B3",
        accent="#56B4E9",
        warning="#E69F00",
        error="#F0776C",
        success="#00B98A",
        foreground="#D8DEE4",
        background="#101418",
        surface="#151A20",
        panel="#1D242C",
        dark=True,
    ),
    Theme(
        name="mmrl-light",
        primary="#0072B2",
        secondary="#5A6872",
        accent="#0072B2",
        warning="#9A6200",
        error="#B3261E",
        success="#00704F",
        foreground="#1B2126",
        background="#FBFBF9",
        surface="#F3F3F0",
        panel="#E7E7E2",
        dark=False,
    ),
    Theme(
        name="mmrl-high-contrast",
        primary="#FFFF00",
        secondary="#FFFFFF",
        accent="#00FFFF",
        warning="#FFB000",
        error="#FF6060",
        success="#40FF40",
        foreground="#FFFFFF",
        background="#000000",
        surface="#000000",
        panel="#202020",
        dark=True,
    ),
)


def series_colour(place: int, dark: bool) -> str:
    """The colour at a place of `HUES` on a dark or a light theme."""
    hue = HUES[place % len(HUES)]
    return hue.dark if dark else hue.light


def thing_colour(thing: str, dark: bool) -> str:
    """The colour of a thing, such as bid or optimum, on a dark or a light theme."""
    return THINGS[thing].dark if dark else THINGS[thing].light


SIGNS = {
    "waiting": ("…", "secondary"),
    "starting": ("…", "secondary"),
    "running": ("▶", "success"),
    "pausing": ("‖", "warning"),
    "paused": ("‖", "warning"),
    "stopping": ("■", "warning"),
    "finished": ("✓", "primary"),
    "failed": ("✗", "error"),
    "diverged": ("✗", "error"),
    "interrupted": ("■", "warning"),
    "crashed": ("!", "error"),
    "pruned": ("■", "secondary"),
    "broken": ("?", "error"),
    "vanished": ("?", "error"),
}
"""State -> sign and the name of its colour in the theme; the word is always shown beside the sign."""
