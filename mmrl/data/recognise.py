"""The one entry to real data: which format a file has, by what is in it, and the events that it holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from mmrl.data import binance, binance_csv, bitstamp, databento, hftbacktest, lobster
from mmrl.data.events import Events
from mmrl.data.files import ZIP, everything, magic, members
from mmrl.data.notes import DataError, refuse
from mmrl.data.table import Options

AUTO = "auto"
READERS: dict[str, Callable[[Sequence[Path], Options], Events]] = {
    "lobster": lobster.read,
    "databento": databento.read,
    "binance": binance.read,
    "binance-csv": binance_csv.read,
    "bitstamp": bitstamp.read,
    "hftbacktest": hftbacktest.read,
}

SEVERAL_SYMBOLS = ("binance", "databento")
"""Formats whose files may hold several instruments."""


def read(paths: Sequence[str | Path], format: str = AUTO, options: Options = Options()) -> Events:
    """The events of one day of one instrument.

    paths: one file, the two files of a LOBSTER day, or Binance's tables of trades and best prices. DataError where they
    cannot be read, with file, line and remedy; nothing is left out without a note in the events.
    """
    if format != AUTO and format not in READERS:
        raise DataError(f"format = {format} is not allowed: {', '.join((AUTO, *READERS))}")
    if not paths:
        raise DataError("no data file is named")
    files = [Path(path) for path in paths]
    found = {recognised(path): path for path in files} if format == AUTO else {format: files[0]}
    if len(found) > 1:
        kinds = ", ".join(f"{path.name} is {kind}" for kind, path in found.items())
        raise refuse(files[0], None, f"files of several formats are not read together: {kinds}")
    chosen = next(iter(found))
    if options.symbol is not None and chosen not in SEVERAL_SYMBOLS:
        raise refuse(files[0], None, f"symbol={options.symbol}: a {chosen} file holds one instrument: drop it")
    return READERS[chosen](files, options)


def recognised(path: Path) -> str:
    """The format of a file. DataError where it has none of those read here."""
    if path.is_dir():
        raise refuse(path, None, "a folder: name the files in it")
    member = None
    if magic(path).startswith(ZIP):
        names = members(path)
        if names and all(name.endswith(".npy") for name in names):
            return "hftbacktest"
        member = next((name for name in names if "message" in name or "orderbook" in name), None)
    start = everything(path, member, 1 << 16)
    if start.startswith(databento.START):
        return "databento"
    line = start.decode("utf-8", errors="replace").split("\n")[0].strip()
    if line == bitstamp.HEADER or bitstamp.FORM.match(line):
        return "bitstamp"
    if binance.FORM.match(f"{line}}}"):
        return "binance"
    if binance_csv.looks_like(line):
        return "binance-csv"
    if lobster.looks_like(line):
        return "lobster"
    wanted = "LOBSTER, Databento DBN, Binance, Bitstamp (obAnalytics), hftbacktest .npz"
    shown = line[:40] if line.isprintable() else "binary data"
    raise refuse(path, 1, f"of no known format ({wanted}); it begins with {shown!r}{_named(path)}")


def _named(path: Path) -> str:
    """A hint from the name, where it promises what the content does not keep."""
    ending = os.path.splitext(path.name)[1]
    return f", although its name ends in {ending}" if ending in (".dbn", ".npz", ".zst") else ""
