"""Which view suits the output of a training."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mmrl.display.detached import VARIABLE, LoggedView
from mmrl.display.json_lines import JsonView
from mmrl.display.live import LiveView
from mmrl.display.plain import PlainView
from mmrl.plots.smoothing import USUAL


def draws() -> bool:
    """Whether a training in this process can show live charts."""
    return sys.stdout.isatty() and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


def open_view(as_json: bool = False, smooth: float = USUAL) -> JsonView | PlainView | LiveView:
    """A log for a detached process, JSON if asked for, live charts on a terminal, plain lines elsewhere."""
    early = os.environ.pop(VARIABLE, "")
    if early:
        return LoggedView(Path(early))
    if as_json:
        return JsonView()
    if draws():
        return LiveView(smooth=smooth)
    return PlainView()
