"""Which view suits the output of a training."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mmrl.display.json_lines import JsonView
    from mmrl.display.live import LiveView
    from mmrl.display.plain import PlainView


def draws() -> bool:
    """Whether a training in this process can show live charts."""
    return sys.stdout.isatty() and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def open_view(as_json: bool = False, smooth: float | None = None) -> JsonView | PlainView | LiveView:
    """A log for a detached process, JSON if asked for, live charts on a terminal, plain lines elsewhere.

    `smooth` is that of the live charts, by default the usual one.
    """
    from mmrl.display.detached import VARIABLE, LoggedView  # views draw, and load numpy for it
    from mmrl.display.json_lines import JsonView
    from mmrl.display.live import LiveView
    from mmrl.display.plain import PlainView
    from mmrl.plots.smoothing import USUAL

    early = os.environ.pop(VARIABLE, "")
    if early:
        return LoggedView(Path(early))
    if as_json:
        return JsonView()
    if draws():
        return LiveView(smooth=USUAL if smooth is None else smooth)
    return PlainView()
