"""The value of a run over its epochs for a line of a dozen characters, from samples of its metrics file."""

from __future__ import annotations

import math
import os
import re
from pathlib import Path

from mmrl.runs.atomic import open_plain

VALUE = re.compile(rb'"value_mean": ?(-?[0-9.eE+-]+|null) ?[,}]')  # complete: not cut by the end of a piece
WHOLE = 1 << 18  # largest file in bytes that is read completely
PIECES, PIECE = 96, 1 << 12  # number of pieces read of a larger file, and their size in bytes


def trend(path: Path) -> list[float]:
    """`value_mean` of all epochs, or of equally spaced ones if there are many; NaN where it is null.

    Raises OSError and BrokenRun if the file cannot be read.
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
