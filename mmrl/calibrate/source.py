"""What a market was fitted to, as its file tells: names and hashes, the span, the method, the version."""

from __future__ import annotations

from typing import Any

import mmrl
from mmrl.calibrate.blocks import SECOND
from mmrl.calibrate.fits import Fitted
from mmrl.calibrate.study import Study
from mmrl.data.events import Events
from mmrl.settings.errors import ConfigError


def source(found: Study, fitted: Fitted) -> dict[str, Any]:
    """The table `source` of a market file."""
    events = found.events
    return {
        "files": [each.name for each in events.sources],
        "sha256": [each.sha256 for each in events.sources],
        "format": events.sources[0].format if events.sources else "",
        "date": events.date,
        "from": clock(int(events.time_ns[0])),
        "to": clock(int(events.time_ns[-1])),
        "events": len(events),
        "tick": events.tick,
        "lot": events.lot,
        "lots_of_a_share": fitted.lots,
        "method": fitted.method,
        "version": f"mmrl {mmrl.__version__}",
    }


def clock(time_ns: int) -> str:
    """Nanoseconds since midnight as hours, minutes and seconds."""
    minutes, seconds = divmod(time_ns // SECOND, 60)
    return f"{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def moment(text: str, option: str) -> int:
    """A time of the day, HH:MM or HH:MM:SS (24:00 is its end), in nanoseconds since midnight."""
    parts = text.split(":")
    try:
        if len(parts) not in (2, 3):
            raise ValueError(text)
        hours, minutes, seconds = int(parts[0]), int(parts[1]), float(parts[2]) if len(parts) == 3 else 0.0
        if not (0 <= hours <= 24 and 0 <= minutes < 60 and 0 <= seconds < 60):
            raise ValueError(text)
    except ValueError:
        raise ConfigError(f"{option} = {text!r} is not allowed: write a time of the day as HH:MM or HH:MM:SS") from None
    return round((hours * 3600 + minutes * 60 + seconds) * SECOND)


def cut(events: Events, start: str | None, end: str | None) -> Events:
    """The events from one time of the day to another."""
    from mmrl.calibrate.intervals import window

    if start is None and end is None:
        return events
    first = 0 if start is None else moment(start, "--from")
    last = int(events.time_ns[-1]) + 1 if end is None else moment(end, "--to")
    if end is None and last <= first:
        raise ConfigError(
            f"--from {start} is after the data, which end at {clock(last)}: give an earlier time of the day"
        )
    if last <= first:
        raise ConfigError(f"--from {start} is not before --to {end}: give an earlier and a later time of the day")
    return window(events, first, last)
