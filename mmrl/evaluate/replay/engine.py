"""hftbacktest's engine as compiled code calls it: by the names that its library exports.

The library's own wrappers are classes that numba compiles anew in every process; functions called by name are kept on
disk with the kernel that calls them. The names and layouts are those of hftbacktest 2.4 (`hftbacktest/binding.py`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from mmrl.settings.errors import ConfigError

VERSION = (2, 4)
"""Whose names and layouts these are."""
INSTALL = 'pip install "market-making-rl[replay]"'

_ptr, _i64, _u64, _f64, _bool, _u8 = types.voidptr, types.int64, types.uint64, types.float64, types.boolean, types.uint8


def _named(name: str, result: Any, *arguments: Any) -> Any:
    return types.ExternalFunction(name, result(*arguments))


wait_next_feed = _named("hashmapbt_wait_next_feed", _i64, _ptr, _bool, _i64)
"""(engine, order responses too, ns): TIMEOUT, END, FEED, RESPONSE, or an error."""
now = _named("hashmapbt_current_timestamp", _i64, _ptr)
depth_of = _named("hashmapbt_depth", _ptr, _ptr, _u64)
best_bid = _named("hashmapdepth_best_bid_tick", _i64, _ptr)
best_ask = _named("hashmapdepth_best_ask_tick", _i64, _ptr)
bid_qty = _named("hashmapdepth_bid_qty_at_tick", _f64, _ptr, _i64)
ask_qty = _named("hashmapdepth_ask_qty_at_tick", _f64, _ptr, _i64)
last_trades = _named("hashmapbt_last_trades", _ptr, _ptr, _u64, _ptr)
clear_trades = _named("hashmapbt_clear_last_trades", types.void, _ptr, _u64)
order_latency = _named("hashmapbt_order_latency", _bool, _ptr, _u64, _ptr, _ptr, _ptr)
"""(engine, asset, where to write: request, arrival at the exchange, answer): of the last order that was answered."""
orders_of = _named("hashmapbt_orders", _ptr, _ptr, _u64)
order_of = _named("orders_get", _ptr, _ptr, _u64)
submit_buy = _named("hashmapbt_submit_buy_order", _i64, _ptr, _u64, _u64, _f64, _f64, _u8, _u8, _bool)
submit_sell = _named("hashmapbt_submit_sell_order", _i64, _ptr, _u64, _u64, _f64, _f64, _u8, _u8, _bool)
cancel = _named("hashmapbt_cancel", _i64, _ptr, _u64, _u64, _bool)
clear_inactive = _named("hashmapbt_clear_inactive_orders", types.void, _ptr, _u64)
close = _named("hashmapbt_close", _i64, _ptr)

TIMEOUT, END, FEED, RESPONSE = range(4)
NO_REQUEST, NEW, EXPIRED, FILLED, CANCELED, PARTLY_FILLED, REJECTED = range(7)
GTC, GTX = 0, 1
LIMIT, MARKET = 0, 1
NOT_BEGUN = 2**63 - 1
"""The time of an engine that has seen no event."""
NO_BID, NO_ASK = -(2**63), 2**63 - 1
"""Best prices of a side without orders, in ticks."""


def loaded() -> Any:
    """The library, after its names are known to compiled code. ConfigError where it is absent or of another version."""
    import llvmlite.binding

    try:
        import hftbacktest
    except ImportError:
        raise ConfigError(f"mmrl replay needs hftbacktest, which is not installed: {INSTALL}") from None
    found = str(hftbacktest.__version__)
    if tuple(int(part) for part in found.split(".")[:2]) != VERSION:
        wanted = ".".join(map(str, VERSION))
        raise ConfigError(f"mmrl replay needs hftbacktest {wanted}, and {found} is installed: {INSTALL}")
    llvmlite.binding.load_library_permanently(hftbacktest._hftbacktest.__file__)
    return hftbacktest


EVENT = np.dtype(
    [("ev", "u8"), ("exch_ts", "i8"), ("local_ts", "i8"), ("px", "f8"), ("qty", "f8"), ("order_id", "u8"),
     ("ival", "i8"), ("fval", "f8")],
    align=True,
)  # fmt: skip
ORDER = np.dtype(
    [("qty", "f8"), ("leaves", "f8"), ("exec_qty", "f8"), ("exec_tick", "i8"), ("tick", "i8"), ("tick_size", "f8"),
     ("exchange", "i8"), ("local", "i8"), ("id", "u8"), ("q1", "u8"), ("q2", "u8"), ("maker", "?"), ("type", "u1"),
     ("request", "u1"), ("status", "u1"), ("side", "i1"), ("force", "u1")],
    align=True,
)  # fmt: skip


@intrinsic
def as_pointer(typing: Any, address: Any) -> Any:
    """The pointer of an address."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.intp), code


@intrinsic
def address_of(typing: Any, pointer: Any) -> Any:
    """The address in a pointer; 0: it points nowhere."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ptrtoint(arguments[0], context.get_value_type(types.intp))

    return types.intp(types.voidptr), code


def _read(kind: Any) -> Any:
    """A function (pointer, offset in bytes) that reads a number: views as arrays would need reference counts."""

    @intrinsic
    def read(typing: Any, pointer: Any, offset: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = builder.gep(arguments[0], [arguments[1]])
            return builder.load(builder.bitcast(place, context.get_value_type(kind).as_pointer()))

        return kind(types.voidptr, types.intp), code

    return read


whole, real, byte = _read(types.int64), _read(types.float64), _read(types.uint8)
EV, PRICE, QUANTITY = (EVENT.fields[name][1] for name in ("ev", "px", "qty"))  # type: ignore[index]
LEAVES, EXECUTED, STATUS, REQUEST, MAKES = (
    ORDER.fields[name][1]  # type: ignore[index]
    for name in ("leaves", "exec_tick", "status", "request", "maker")
)
