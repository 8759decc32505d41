"""The screen as an SVG picture, drawn by the writer that draws all pictures of terminals (mmrl/plots/svg.py)."""

from __future__ import annotations

from typing import Any

from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import DEFAULT_TERMINAL_THEME
from textual.app import App

from mmrl.plots.svg import Stretch, screen_svg


def screenshot(app: App[Any], title: str) -> str:
    """What an application shows now, dialogs and what is behind them included."""
    # render_update is what App.export_screenshot draws; nothing public gives the rows of a screen
    update: Any = app.screen._compositor.render_update(full=True, screen_stack=app._background_screens, simplify=True)
    colours = app.theme_variables
    foreground, background = colours["foreground"][:7].lower(), colours["background"][:7].lower()
    rows = [
        [stretch(segment, foreground, background) for strip in strips for segment in strip] for strips in update.strips
    ]
    return screen_svg(rows, app.size.width, title, background, foreground)


def stretch(segment: Segment, foreground: str, background: str) -> Stretch:
    """A segment of Rich in colours of its own; what has none takes those of the screen."""
    style = segment.style or Style.null()
    colour = _hexadecimal(style, True) or foreground
    ground = _hexadecimal(style, False) or background
    if style.reverse:
        colour, ground = ground, colour
    if style.dim:
        colour = _between(colour, ground)
    plain = "" if ground == background else ground
    return Stretch(segment.text, colour, plain, bool(style.bold), bool(style.italic), bool(style.underline))


def _hexadecimal(style: Style, front: bool) -> str:
    colour = style.color if front else style.bgcolor
    if colour is None or colour.is_default:
        return ""
    return colour.get_truecolor(DEFAULT_TERMINAL_THEME, foreground=front).hex


def _between(first: str, second: str) -> str:
    """The colour half-way between two."""
    parts = ((int(first[k : k + 2], 16) + int(second[k : k + 2], 16)) // 2 for k in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in parts)
