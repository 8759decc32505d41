"""One trajectory of the book market as stored in an episode file: every level of the book at every recorded step.

The book is stored as changes: a level is written again only when its number of shares changed, so that
the whole book over thousands of steps takes some kilobytes.

Shapes: R recorded steps, M changes of levels, F fills of the maker's orders.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Whole = npt.NDArray[np.int64]
WIDEST = 2**24  # ticks between the lowest and the highest price; more means a damaged file
PREFIX = "book_"


@dataclass(frozen=True)
class BookRecording:
    """Steps of one trajectory, each after the maker's action and before the market orders of that step."""

    step: Array  # int32 [R]
    time: Array  # float64 [R], in the unit of the market
    mid: Array  # float64 [R], currency
    bid: Array  # float64 [R], currency, the mid where the side is empty
    ask: Array  # float64 [R], likewise
    inventory: Array  # int32 [R], shares
    wealth: Array  # float64 [R], currency
    tick: Array  # float64 [1], currency
    offsets: Array  # int32 [R + 1]: step r is reached by the first offsets[r + 1] changes
    price: Array  # int64 [M], ticks; int32 in files of an early version
    shares: Array  # int32 [M]: total shares at the price from now on, negative on the ask side
    own: Array  # int32 [M]: the maker's among them
    fill_step: Array  # int32 [F], the step whose market orders filled the maker's
    fill_time: Array  # float64 [F], the moment of that step
    fill_shares: Array  # int32 [F], bought > 0, sold < 0
    fill_price: Array  # float64 [F], currency; float32 in files of an early version

    def arrays(self) -> dict[str, Array]:
        """The arrays under the names of an episode file."""
        return {PREFIX + field.name: getattr(self, field.name) for field in fields(self)}

    def levels(self, step: int) -> tuple[Whole, Whole, Whole]:
        """The book at recorded step number `step`: prices in ticks (ascending), shares (negative: asks), own shares."""
        upto = int(self.offsets[step + 1])
        if not upto:
            nothing = np.empty(0, np.int64)
            return nothing, nothing, nothing
        price, latest = np.unique(self.price[:upto][::-1], return_index=True)
        last = upto - 1 - latest  # of several changes of a level the last one wins
        shares, own = self.shares[last].astype(np.int64), self.own[last].astype(np.int64)
        held = shares != 0
        return price[held].astype(np.int64), shares[held], own[held]

    @property
    def value(self) -> Array:
        """Total value W + I S [R], currency."""
        return np.asarray(self.wealth + self.inventory * self.mid)


def read_recording(arrays: Mapping[str, Array]) -> BookRecording | None:
    """The recording in the arrays of an episode; None where there is none or where it is inconsistent."""
    if f"{PREFIX}time" not in arrays and f"{PREFIX}dt" in arrays:  # an early version wrote the length of a step
        arrays = {**arrays, **{f"{PREFIX}{part}time": _times(arrays, f"{part}step") for part in ("", "fill_")}}
    try:
        found = BookRecording(**{field.name: arrays[PREFIX + field.name] for field in fields(BookRecording)})
    except KeyError:
        return None
    columns = {field.name: getattr(found, field.name) for field in fields(found)}
    if any(column.ndim != 1 or column.dtype.kind not in "iuf" for column in columns.values()):
        return None
    whole = ("step", "inventory", "offsets", "price", "shares", "own", "fill_step", "fill_shares")
    if any(columns[name].dtype.kind == "f" for name in whole):
        return None
    steps, changes, fills = len(found.step), len(found.price), len(found.fill_step)
    lengths = dict.fromkeys(("time", "mid", "bid", "ask", "inventory", "wealth"), steps) | {
        "tick": 1,
        "offsets": steps + 1,
    }
    lengths |= dict.fromkeys(("shares", "own"), changes) | dict.fromkeys(
        ("fill_time", "fill_shares", "fill_price"), fills
    )
    offsets = found.offsets.astype(np.int64)
    if any(len(columns[name]) != length for name, length in lengths.items()) or not steps:
        return None
    if offsets[0] != 0 or offsets[-1] > changes or (np.diff(offsets) < 0).any():
        return None
    if changes and int(found.price.max()) - int(found.price.min()) > WIDEST:
        return None
    finite = all(
        np.isfinite(columns[name]).all()
        for name in ("mid", "bid", "ask", "wealth", "tick", "time", "fill_time", "fill_price")
    )
    return found if finite and found.tick[0] > 0 else None


def _times(arrays: Mapping[str, Array], steps: str) -> Array:
    step, dt = arrays.get(PREFIX + steps), arrays[f"{PREFIX}dt"]
    if step is None or step.dtype.kind not in "iuf" or dt.dtype.kind not in "iuf" or dt.shape != (1,):
        return np.empty(0)
    return np.asarray(step * dt[0], np.float64)
