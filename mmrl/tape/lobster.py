"""Messages as LOBSTER files (Huang & Polak 2011): rows of messages, and one to one rows of the book after each.

A message: seconds after midnight, type, order, shares, price * 10^4, direction of the resting order. A row of the book:
ask price, shares, bid price, shares, by level. https://lobsterdata.com/info/DataStructure.php
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType

import numpy as np

from mmrl.markets.contract import Messages
from mmrl.runs.atomic import naming, sync_folder
from mmrl.settings.errors import ConfigError

OPENING = 34_200.0
"""Seconds after midnight at which the tape begins: 9:30."""
PER_CURRENCY = 10_000
NO_LEVEL = 9_999_999_999
"""Price of an ask that does not exist; of a bid its negative."""
SECONDS = {"ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
"""Of the units of time that a market can have."""


def check_price(key: str, price: float) -> None:
    """Raise ConfigError where a setting has a price that LOBSTER has no number for."""
    if price * PER_CURRENCY >= NO_LEVEL:
        highest = (NO_LEVEL - 1) / PER_CURRENCY
        raise ConfigError(f"{key} = {price:g} has no LOBSTER files: their prices are at most {highest:,.0f}: lower it")


class LobsterFiles:
    """The two files of a tape, which appear together when all is written; until then there are none.

    ConfigError where they cannot be written: no folder, files that are there already, prices or times that LOBSTER has
    no numbers for.
    """

    def __init__(self, prefix: str, levels: int, tick: float, time_unit: str, force: bool = False) -> None:
        folder = Path(prefix).parent
        self.paths = [folder / f"{Path(prefix).name}_{what}_{levels}.csv" for what in ("message", "orderbook")]
        if not folder.is_dir():
            raise ConfigError(f"-o {prefix}: there is no folder {folder}")
        for path in self.paths:
            if path.is_dir() or (path.exists() and not force):
                raise ConfigError(f"-o {prefix}: {path} exists: choose another name, or overwrite it with --force")
        if time_unit not in SECONDS:
            raise ConfigError(f"a market that counts time in {time_unit!r} has no LOBSTER files: they need seconds")
        self._seconds, self._tick = SECONDS[time_unit], round(tick * PER_CURRENCY)
        if self._tick < 1 or abs(tick * PER_CURRENCY - self._tick) > 1e-9 * self._tick:
            raise ConfigError(f"market.tick = {tick:g}: LOBSTER prices are multiples of {1 / PER_CURRENCY:g}")
        self._level_format = ",".join(["%d"] * (4 * levels)) + "\n"
        self._temporary = [path.with_name(f".{path.name}.{os.getpid()}.tmp") for path in self.paths]
        self._files = contextlib.ExitStack()

    def __enter__(self) -> LobsterFiles:
        try:
            self._message, self._book = [
                self._files.enter_context(path.open("w", encoding="ascii", newline="\n")) for path in self._temporary
            ]
        except BaseException:
            self._discard()
            raise
        return self

    def write(self, piece: Messages) -> None:
        """Append messages."""
        seconds = OPENING + piece.time * self._seconds
        columns = (piece.kind, piece.order, piece.shares, piece.price * self._tick, piece.direction)
        rows = zip(seconds.tolist(), *(column.tolist() for column in columns), strict=True)
        form = "%.9f,%d,%d,%d,%d,%d\n"
        with naming(self.paths[0]):
            self._message.writelines(form % row for row in rows)
        dearest = int(np.abs(piece.price).max(initial=0)) * self._tick
        if dearest >= NO_LEVEL:
            raise ConfigError(
                f"a price of {dearest / PER_CURRENCY:,.0f} is none of LOBSTER's, where {NO_LEVEL} stands for no level: "
                "lower market.midprice"
            )
        book = piece.levels.copy()
        book[:, ::2] *= self._tick
        for column, nowhere in ((0, NO_LEVEL), (2, -NO_LEVEL)):
            book[:, column::4] = np.where(book[:, column + 1 :: 4] > 0, book[:, column::4], nowhere)
        with naming(self.paths[1]):
            self._book.writelines(self._level_format % tuple(row) for row in book.tolist())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._commit()
        finally:
            self._discard()

    def _commit(self) -> None:
        for file, path in zip((self._message, self._book), self.paths, strict=True):
            with naming(path):
                file.flush()
                os.fsync(file.fileno())
        for temporary, path in zip(self._temporary, self.paths, strict=True):
            os.replace(temporary, path)
        sync_folder(self.paths[0].parent)

    def _discard(self) -> None:
        """Close the files and remove what is unfinished."""
        with contextlib.suppress(OSError):  # what a full disk did not take is not written by closing either
            self._files.close()
        for path in self._temporary:
            with contextlib.suppress(OSError):
                path.unlink()
