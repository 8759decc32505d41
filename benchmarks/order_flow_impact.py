"""How far the mid moves after a market order of the maker in market order-flow, beside the same market without it.

    python -m benchmarks.order_flow_impact [--set KEY=VALUE] [--books 4000] [--sizes 1 2 5] [--events 1 10 100 1000]

Each book lives through its warm-up, then goes on twice with the same random numbers: with a buy order at market, and
without. What is printed is the mean of the difference of the two mids, in ticks, with half of its 95 % interval: at
once, and after so many events of others. An impact that fades is temporary, what stays is permanent.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

from mmrl.kernels.jit import kernel
from mmrl.kernels.random import seed_stream
from mmrl.markets.order_flow.arrivals import excite
from mmrl.markets.order_flow.dynamics import reset, run
from mmrl.markets.order_flow.queues import ANY_PRICE, take
from mmrl.markets.order_flow.settings import Settings
from mmrl.markets.order_flow.signals import note_trade, settle
from mmrl.markets.order_flow.state import ASK, MAKER, MARKET, MID, Parameters, State, memory, parameters
from mmrl.settings.sources import resolve, set_values
from mmrl.statistics.intervals import half_width


@kernel
def _mids(p: Any, s: Any, rng: Any, shares: Any, moments: Any, out: Any) -> None:
    """The mid in half ticks at once after a buy order and after `moments` events of others; the first is before it."""
    reset(p, s, rng, 0)
    out[0] = s.book.meta[MID]
    if shares > 0:
        taken = take(s, ASK, shares, ANY_PRICE[ASK], MAKER)
        if taken > 0:
            note_trade(s, ASK, taken)
            excite(p, s, MARKET + ASK)
        settle(s)
    out[1] = s.book.meta[MID]
    seen = 0
    for k in range(moments.shape[0]):
        run(p, s, rng, np.inf, moments[k] - seen)
        seen = moments[k]
        out[2 + k] = s.book.meta[MID]


def impact(market: Settings, sizes: Sequence[int], moments: Sequence[int], books: int, seed: int = 0) -> np.ndarray:
    """Moves of the mid, ticks, that buy orders cause: at once and after events; float64 [sizes, books, 1 + moments]."""
    p: Parameters = parameters(market)
    s: State = memory(p)
    found = np.zeros((1 + len(sizes), books, 2 + len(moments)), np.int64)
    stream, after = np.empty(4, np.uint64), np.array(moments, np.int64)
    for row, shares in zip(found, (0, *sizes), strict=True):
        for book in range(books):
            seed_stream(stream, seed, 0, book)
            _mids(p, s, stream, np.int64(shares), after, row[book])
    assert (found[..., 0] == found[0, :, 0]).all(), "the same book before the order"
    return (found[1:, :, 1:] - found[0, :, 1:]) / 2


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="order-flow")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changes")
    parser.add_argument("--books", type=int, default=4000)
    parser.add_argument("--sizes", type=int, nargs="+", default=[1, 2, 5])
    parser.add_argument("--events", type=int, nargs="+", default=[1, 10, 100, 1000])
    options = parser.parse_args(arguments)
    market = resolve(set_values(options.changes), None, options.preset, {})[0].market
    assert isinstance(market, Settings)
    found = impact(market, options.sizes, options.events, options.books)
    print("| shares bought | at once | " + " | ".join(f"after {n} events" for n in options.events) + " |")
    print("|---" * (2 + len(options.events)) + "|")
    for shares, row in zip(options.sizes, found, strict=True):
        cells = [f"{moves.mean():.2f} ± {half_width(moves):.2f}" for moves in row.T]
        print(f"| {shares} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
