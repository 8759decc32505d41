"""Which view suits the output of a training."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from mmrl.display.detached import VARIABLE, LoggedView
from mmrl.display.json_lines import JsonView
from mmrl.display.live import LiveView
from mmrl.display.plain import PlainView


def open_view(as_json: bool = False) -> JsonView | PlainView | LiveView:
    """A log for a detached process, JSON if asked for, live charts on a terminal, plain lines elsewhere."""
    early = os.environ.pop(VARIABLE, "")
    if early:
        return LoggedView(Path(early))
    if as_json:
        return JsonView()
    if sys.stdout.isatty() and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb":
        return LiveView()
    return PlainView()
