"""Comma-separated text as typed columns, block by block (polars), with the exact line of what does not fit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmrl.data.files import blocks
from mmrl.data.notes import TRUNCATED, Notes, needed, refuse

WHOLE, DECIMAL, TEXT = "whole", "decimal", "text"
Block = dict[str, NDArray]


class Layout(NamedTuple):
    """The columns of a file: name and kind (WHOLE, DECIMAL, TEXT) of each, and those that are wanted."""

    columns: dict[str, str]
    wanted: Sequence[str]
    called: str = "columns"


def typed(path: Path, member: str | None, layout: Layout, notes: Notes, header: bool = False) -> Iterator[Block]:
    """Blocks of columns, with the number of each row's line under `line`.

    A last line that lacks its line end and does not fit is left out and noted. DataError for any other line that does
    not fit, and for a blank line before the end.
    """
    name = member or path.name
    for first, count, block in blocks(path, member):
        if header and first == 1:
            cut = block.find(b"\n") + 1
            first, count, block = 2, count - 1, block[cut:]
        if count > 0 and block.strip():
            yield _parsed(path, first, count, block, layout)
        elif count == 0 and block.strip():
            if _complaint(block.decode(errors="replace").strip(), layout):
                notes.add(TRUNCATED, first, name=name)
            else:
                notes.add("last lines without a line end, kept", first, name=name)
                yield _parsed(path, first, 1, block + b"\n", layout)


def _parsed(path: Path, first: int, rows: int, body: bytes, layout: Layout) -> Block:
    pl = needed("polars")
    kinds = {WHOLE: pl.Int64, DECIMAL: pl.Float64, TEXT: pl.String}
    schema = {name: kinds[kind] for name, kind in layout.columns.items()}
    try:
        frame = pl.read_csv(body, has_header=False, schema=schema, quote_char=None)
    except (pl.exceptions.PolarsError, UnicodeDecodeError):
        frame = None
    if frame is None or frame.height != rows or sum(frame.null_count().row(0)):
        _find_fault(path, first, body, layout)
        rows = body.rstrip().count(b"\n") + 1  # nothing but blank lines at the end of the file
        if frame is None or frame.height < rows:
            raise refuse(path, first, "a line of this block of lines cannot be read as text of columns")
        frame = frame.head(rows)
    found = {name: frame[name].to_numpy() if layout.columns[name] != TEXT else frame[name] for name in layout.wanted}
    return {**found, "line": np.arange(first, first + rows)}


def _find_fault(path: Path, first: int, body: bytes, layout: Layout) -> None:
    """Raise DataError for the first line that does not fit; blank lines at the end do."""
    for offset, line in enumerate(body.rstrip().decode(errors="replace").split("\n")):
        complaint = _complaint(line.rstrip("\r"), layout)
        if complaint:
            raise refuse(path, first + offset, complaint)


def _complaint(line: str, layout: Layout) -> str:
    """What is wrong with a line; nothing where it fits."""
    if not line.strip():
        return "a blank line"
    fields = line.split(",")
    if len(fields) != len(layout.columns):
        return f"{len(fields)} {layout.called} instead of {len(layout.columns)}"
    for text, (name, kind) in zip(fields, layout.columns.items(), strict=True):
        try:
            if kind == WHOLE:
                if not -(2**63) <= int(text) < 2**63:
                    raise ValueError
            elif not text or (kind == DECIMAL and not np.isfinite(float(text))):
                raise ValueError
        except ValueError:
            return f"{name} is {text[:40]!r}, which is no {kind} {'value' if kind == TEXT else 'number'}"
    return ""
