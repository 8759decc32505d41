"""Tables of text for a terminal of any width: the one place that draws them.

What does not fit gives way in this order: columns in which nothing stands; labels, which are cut in their middle, and
texts, which wrap; then the columns stand in blocks below each other, each beginning with the first column. A number is
never cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len

from mmrl.plots.output import MOST_COLUMNS, terminal_size
from mmrl.plots.text import printable, shortened, wrapped

NOTHING = ("", "-")
GAP = "  "
LEAST_LABEL, LEAST_TEXT = 12, 24
"""Columns of the terminal below which a label or a text does not shrink."""


@dataclass(frozen=True)
class Column:
    """A column: a `label` may be cut in its middle, a `text` may wrap at blanks, a `number` stays whole."""

    title: str
    kind: Literal["number", "label", "text"] = "number"


def room() -> int:
    """Columns that standard output has: those of the terminal; a pipe or a file takes lines of any length."""
    return terminal_size(columns=MOST_COLUMNS)[0]


def table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int, title: str = "") -> list[str]:
    """Lines of a table of at most `width` columns of the terminal; the first column names the rows."""
    cells = [[printable(cell) for cell in row] for row in rows]
    kept = [k for k in range(len(columns)) if not k or any(row[k] not in NOTHING for row in cells)]
    columns = [columns[k] for k in kept]
    cells = [[row[k] for k in kept] for row in cells]
    full = [max(map(cell_len, (c.title, *(row[k] for row in cells)))) for k, c in enumerate(columns)]
    least = [_least(c, [row[k] for row in cells], full[k], width) for k, c in enumerate(columns)]
    blocks = _blocks(least, width)
    lines = [title] if title else []
    for number, block in enumerate(blocks):
        if number:
            lines.append("")
        widths = _grown([least[k] for k in block], [full[k] for k in block], width)
        if sum(widths) + len(GAP) * (len(block) - 1) > width:
            return [*lines[: bool(title)], *_stacked(columns, cells, width)]
        lines += _drawn([columns[k] for k in block], [[row[k] for k in block] for row in cells], widths)
    return lines


def pairs(rows: Sequence[tuple[str, str]], width: int) -> list[str]:
    """Lines of names and what they stand for, which wraps at blanks."""
    named = max((cell_len(name) for name, _ in rows), default=0)
    lines: list[str] = []
    for name, text in rows:
        first = f"{name:<{named}}{GAP}"
        found = wrapped(printable(text), width, " " * len(first), first)
        # a first word that is too wide to stand beside the name stands below it
        lines += found if found and found[0].startswith(first) else [name, *found]
    return lines


def _least(column: Column, cells: Sequence[str], full: int, width: int) -> int:
    """To how many columns of the terminal a column may shrink."""
    if column.kind == "number":
        return full
    if column.kind == "text":
        words = [word for cell in cells for word in cell.split()]
        return min(full, max(LEAST_TEXT, *map(cell_len, words or [""])))
    distinct = len(set(cells))
    for wide in range(min(max(LEAST_LABEL, cell_len(column.title)), full), full):
        if len({shortened(cell, wide) for cell in cells}) == distinct:
            return wide
    return full


def _blocks(least: Sequence[int], width: int) -> list[list[int]]:
    """Which columns stand beside each other; the first one begins every block."""
    blocks, used = [[0]], least[0]
    for k in range(1, len(least)):
        if used + len(GAP) + least[k] > width and len(blocks[-1]) > 1:
            blocks.append([0])
            used = least[0]
        blocks[-1].append(k)
        used += len(GAP) + least[k]
    return blocks


def _grown(least: Sequence[int], full: Sequence[int], width: int) -> list[int]:
    """Widths of the columns of a block: what is left over goes to the narrowest that lack some, most to the first."""
    widths = list(least)
    left = width - sum(widths) - len(GAP) * (len(widths) - 1)
    while left > 0:
        lacking = [k for k in range(len(widths)) if widths[k] < full[k]]
        if not lacking:
            break
        widths[min(lacking, key=lambda k: widths[k] / (1 if k else 2))] += 1
        left -= 1
    return widths


def _drawn(columns: Sequence[Column], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    """Heading and rows; a row has as many lines as its longest text."""
    lines = []
    for row in ([column.title for column in columns], *rows):
        parts = [
            wrapped(cell, wide) or [""] if column.kind == "text" else [shortened(cell, wide)]
            for column, cell, wide in zip(columns, row, widths, strict=True)
        ]
        for at in range(max(map(len, parts))):
            shown = [part[at] if at < len(part) else "" for part in parts]
            placed = [_placed(c, text, wide) for c, text, wide in zip(columns, shown, widths, strict=True)]
            lines.append(GAP.join(placed).rstrip())
    return lines


def _placed(column: Column, text: str, wide: int) -> str:
    blanks = " " * max(wide - cell_len(text), 0)
    return blanks + text if column.kind == "number" else text + blanks


def _stacked(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> list[str]:
    """A block a row, for what is too wide to stand beside its name: the name, then a line for each column."""
    lines: list[str] = []
    for row in rows:
        lines += wrapped(row[0], width)
        for column, cell in zip(columns[1:], row[1:], strict=True):
            if cell not in NOTHING:
                lines += wrapped(f"{column.title}: {cell}", width, GAP * 2, GAP)
    return lines
