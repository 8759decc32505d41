"""Pictures of characters: two arrays of the same shape, characters and colours, so that any program can show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Row = list[tuple[str, int]]  # stretches of one colour from left to right
PLAIN = -1  # the terminal's own colour


@dataclass(frozen=True)
class Charset:
    """Which characters draw: `table[bits]` is the cell whose pixels weigh `weights` [rows, columns]."""

    weights: NDArray[np.uint8]
    table: NDArray[np.str_]
    up: str
    down: str
    dot: str
    axes: tuple[str, ...]  # vertical, vertical with tick, corner, horizontal, horizontal with tick


BRAILLE = Charset(
    np.array([[1, 8], [2, 16], [4, 32], [64, 128]], np.uint8),
    np.array([" "] + [chr(0x2800 + bits) for bits in range(1, 256)]),
    "▲",
    "▼",
    "●",
    tuple("│┤└─┬"),
)
BLOCK = Charset(np.array([[1, 2], [4, 8]], np.uint8), np.array(list(" ▘▝▀▖▌▞▛▗▚▐▜▄▙▟█")), "↑", "↓", "■", tuple("│┤└─┬"))
ASCII = Charset(np.array([[1], [2]], np.uint8), np.array(list(" '.:")), "^", "v", "*", tuple("|++-+"))


@dataclass(frozen=True)
class Picture:
    """Characters and their colours [height, width]; colour -1 is the terminal's own."""

    cells: NDArray[np.str_]
    colours: NDArray[np.int16]

    def runs(self) -> list[Row]:
        """Every row as stretches of one colour; blanks take the colour of their left neighbour."""
        height, width = self.cells.shape
        if not width:
            return [[] for _ in range(height)]
        hues = np.where(self.cells == " ", np.int16(-2), self.colours)
        at = np.maximum.accumulate(np.where(hues != -2, np.arange(width), 0), axis=1)
        hues = np.take_along_axis(hues, at, axis=1)
        np.copyto(hues, np.int16(PLAIN), where=hues == -2)
        rows = np.ascontiguousarray(self.cells).view(f"<U{width}")[:, 0].tolist()
        edges: list[list[int]] = [[0] for _ in range(height)]
        for row, column in np.argwhere(hues[:, 1:] != hues[:, :-1]).tolist():
            edges[row].append(column + 1)
        result = []
        for text, colours, cuts in zip(rows, hues.tolist(), edges, strict=True):
            text = text.ljust(width)
            result.append([(text[a:b], colours[a]) for a, b in pairwise([*cuts, width])])
        return result

    def lines(self, colour: bool = True) -> list[str]:
        """Every row as text, with escapes for 256 colours if wanted."""
        if not colour:
            return ["".join(text for text, _ in row) for row in self.runs()]
        result = []
        for row in self.runs():
            parts = [text if hue < 0 else f"\x1b[38;5;{hue}m{text}\x1b[39m" for text, hue in row]
            result.append("".join(parts))
        return result


def blank(width: int, height: int, text: str = "") -> Picture:
    """An empty picture with a text in the middle."""
    cells = np.full((height, width), " ", dtype="<U1")
    if height and text:
        write(cells, height // 2, 0, text[:width].center(width))
    return Picture(cells, np.full((height, width), PLAIN, dtype=np.int16))


def write(cells: NDArray[np.str_], row: int, column: int, text: str) -> None:
    """Put a text into a row of cells; what does not fit is cut off."""
    room = cells.shape[1] - column
    if text and room > 0:
        cells[row, column : column + len(text)] = list(text[:room])


def beside(pictures: Sequence[Picture]) -> Picture:
    """Pictures of equal height from left to right."""
    return Picture(np.hstack([p.cells for p in pictures]), np.hstack([p.colours for p in pictures]))


def below(pictures: Sequence[Picture]) -> Picture:
    """Pictures of equal width from top to bottom."""
    return Picture(np.vstack([p.cells for p in pictures]), np.vstack([p.colours for p in pictures]))
