"""Figures that only inform: what cannot be computed is absent, with one note, and whatever was to be told goes on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeVar

import numpy as np

T = TypeVar("T")
Instead = TypeVar("Instead")

FURTHEST = 1e6
"""Times the optimum, beyond which a share of it says nothing but that the optimum is hardly anything."""


class Attempts:
    """Computes what only informs; `say` is told of each kind of figure once, when it first fails."""

    def __init__(self, say: Callable[[str], None], but: Callable[[Exception], bool] = lambda _: False) -> None:
        """`but` tells which errors are raised all the same, beside OSError."""
        self._say, self._told, self._but = say, set[str](), but

    def get(self, what: str, compute: Callable[[], T], instead: Instead) -> T | Instead:
        """What `compute` returns, or `instead` if it raises; `what` names it in the note.

        An error of the disk or of a stream is raised: who writes must know of it. A figure that overflows is infinite
        without a warning: it is recorded as absent.
        """
        try:
            with np.errstate(all="ignore"):
                return compute()
        except Exception as error:
            if isinstance(error, OSError) or self._but(error):
                raise
            self.absent(what, str(error) or type(error).__name__)
            return instead

    def absent(self, what: str, why: str) -> None:
        """Say once that something is missing, and why."""
        if what not in self._told:
            self._told.add(what)
            self._say(f"{what} missing: {' '.join(why.split())}")


def share_of_optimum(value: float, optimum: float) -> float | None:
    """Value divided by the optimum; None where that is not positive, or nothing beside the value."""
    if not (optimum > 0 and math.isfinite(value) and math.isfinite(optimum)):
        return None
    return value / optimum if abs(value) <= FURTHEST * optimum else None
