"""A training as JSON lines, for programs."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from mmrl.display.base import BaseView, emit
from mmrl.plots.output import say
from mmrl.plots.text import printable


def finite(value: Any) -> Any:
    """The same value for JSON: NaN and infinities become None, numpy scalars and paths become plain."""
    if isinstance(value, Mapping):
        return {str(key): finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(inner) for inner in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


class JsonView(BaseView):
    """One JSON object an epoch on stdout and a last one with run, state, epochs and best; notes on stderr."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        super().__init__()
        self.out, self.err = out or sys.stdout, err or sys.stderr

    def _write(self, data: Mapping[str, Any]) -> None:
        emit(json.dumps(finite(data), allow_nan=False), self.out)

    def epoch(self, record: Mapping[str, Any]) -> None:
        """Write the record of an epoch."""
        self.progress.add(record)
        self._write(record)

    def note(self, text: str, lasting: bool = False) -> None:
        """Say something that is not data."""
        say(printable(text), self.err)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write the last object."""
        known = self.progress.summary()
        self._write({**known, **summary})
