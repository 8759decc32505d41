"""A screen that is painted whole after each change of its layout."""

from __future__ import annotations

from typing import Any

from textual import events, on
from textual.screen import Screen


class Painted(Screen[Any]):
    """Leaves nothing on the terminal of a widget that is gone.

    Textual paints the places where the layout differs from the one before. If a size is asked for between the removal
    of a widget and the next layout, that layout is made at once and the next one finds no difference: the widget,
    mostly a message that is over, would stay on the terminal for good.

    A dialog names it after ModalScreen: Textual takes the styles of the first class alone.
    """

    @on(events.Mount)
    def _paint_layouts(self) -> None:
        self.screen_layout_refresh_signal.subscribe(self, lambda _: self.refresh(), immediate=True)
