"""The course of a run's value for a line of a dozen characters, from a few places of its metrics."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

from mmrl.runs.atomic import open_plain

VALUE = re.compile(rb'"value_mean": ?(-?[0-9.eE+-]+|null) ?[,}]')  # whole: not cut off by the end of a piece
WHOLE = 1 << 18  # bytes of a file that is read as a whole; of a larger one
PIECES, PIECE = 96, 1 << 12  # so many pieces are read


def trend(path: Path) -> list[float]:
    """`value_mean` of all epochs, or of some in equal distances where there are many; NaN where it is null.

    Raises OSError and BrokenRun on what cannot be read.
    """
    descriptor = open_plain(path)
    try:
        size = os.fstat(descriptor).st_size
        if size <= WHOLE:
            return [_number(found) for found in VALUE.findall(os.pread(descriptor, WHOLE, 0))]
        values = []
        for number in range(PIECES):
            place = (size - PIECE) * number // (PIECES - 1)
            found = VALUE.findall(os.pread(descriptor, PIECE, place))
            if found:
                values.append(_number(found[-1] if number == PIECES - 1 else found[0]))
        return values
    finally:
        os.close(descriptor)


def _number(text: bytes) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
