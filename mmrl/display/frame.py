"""The screen of the live charts: lines of text, drawn again only as often as a share of a core allows."""

from __future__ import annotations

import time
from collections.abc import Callable

from rich.cells import set_cell_size

from mmrl.display.progress import Progress
from mmrl.plots.charts import Columns, panels_of, training_picture
from mmrl.plots.picture import BRAILLE, Charset
from mmrl.plots.smoothing import USUAL
from mmrl.plots.text import wrapped

SHARE = 0.0025  # of one core that drawing charts may take; a slow machine redraws less often
LEAST, TOLD = 16, 4  # lines of a screen that shows a lasting note, and those of the note


class Frame:
    """The whole screen: charts above a lasting note and two lines of text, exactly as large as the terminal."""

    def __init__(
        self,
        progress: Progress,
        characters: Charset = BRAILLE,
        clock: Callable[[], float] = time.thread_time,
        smooth: float = USUAL,
    ) -> None:
        self.progress, self.characters, self._clock, self.smooth = progress, characters, clock, smooth
        self._columns = Columns(progress.records)
        self._drawn: tuple[int, int, int] = (-1, 0, 0)
        self._charts: list[str] = []
        self._ready = 0.0

    def rows(self, width: int, height: int, colour: bool) -> list[str]:
        """Every line of the screen, with escapes if there is colour."""
        text = [self.progress.head(), self.progress.line(width)][: max(height, 0)]
        if height > LEAST:
            told = [line for text in self.progress.lasting[-1:] for line in wrapped(text, max(width, 1))]
            text = [*told[:TOLD], *text]
        if height > len(text):
            self._refresh(width, height - len(text), colour)
        else:
            self._charts = []
        return [*self._charts, *(set_cell_size(line, width) for line in text)]

    def _refresh(self, width: int, height: int, colour: bool) -> None:
        """Draw the charts again if they changed and the share of time allows it; a resize always may."""
        records = self.progress.records
        state = (len(records), width, height)
        now = time.monotonic()
        if state == self._drawn or (state[1:] == self._drawn[1:] and now < self._ready):
            return
        begun = self._clock()
        if self._columns.records is not records:
            self._columns = Columns(records)
        self._columns.grow()
        shown = panels_of(self._columns)
        picture = training_picture(self._columns, shown, width, height, self.characters, self.smooth)
        self._charts = picture.lines(colour)
        self._drawn = state
        self._ready = now + (self._clock() - begun) / SHARE
