"""What compiled code will soon read or write, asked for in advance: memory answers while something else is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numba
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

LINE, MOST = 64, 1280
"""Bytes that memory gives at once, and those of a row that are asked for."""
_INT, _FLAG, _BYTES = ir.IntType(64), ir.IntType(32), ir.IntType(8).as_pointer()
_READ, _WRITE, _KEPT, _DATA = (ir.Constant(_FLAG, flag) for flag in (0, 1, 3, 1))
_FUNCTION = ir.FunctionType(ir.VoidType(), [_BYTES, _FLAG, _FLAG, _FLAG])


def prefetch_of(places: Iterable[int]) -> Any:
    """A compiled function (parts, i) that asks for the beginning of row i of the arrays at these places of a tuple."""
    return _compiled(places, _fetch)


def prefetch_to_write(places: Iterable[int]) -> Any:
    """The same for the one line in which row i begins, to write there."""
    return _compiled(places, _fetch_to_write)


def prefetch_to_read(places: Iterable[int]) -> Any:
    """The same for the one line in which row i begins, to read it."""
    return _compiled(places, _fetch_to_read)


def _compiled(places: Iterable[int], ask: Callable[..., None]) -> Any:
    def fetch(typing: Any, parts: Any, i: Any) -> Any:
        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            function = cgutils.get_or_insert_function(builder.module, _FUNCTION, "llvm.prefetch.p0i8")
            for place in places:
                part = builder.extract_value(values[0], place)
                array = context.make_array(signature.args[0].types[place])(context, builder, part)
                wide = _bytes_of_row(builder, signature.args[0].types[place], array)
                start = builder.gep(builder.bitcast(array.data, _BYTES), [builder.mul(values[1], wide)])
                ask(builder, function, start, wide)
            return context.get_dummy_value()

        return types.void(parts, types.int64), code

    return (lambda parts, i: None) if numba.config.DISABLE_JIT else intrinsic(fetch)  # type: ignore[attr-defined]


def _bytes_of_row(builder: Any, kind: Any, array: Any) -> Any:
    if kind.layout == "C" and kind.ndim == 1:  # known when it is compiled
        return array.itemsize
    return cgutils.unpack_tuple(builder, array.strides)[0]


def _fetch(builder: Any, function: Any, start: Any, wide: Any) -> None:
    most = _INT(MOST)
    end = builder.select(builder.icmp_signed("<", wide, most), wide, most)
    with cgutils.for_range_slice(builder, _INT(0), end, _INT(LINE), _INT) as (at, _):
        builder.call(function, [builder.gep(start, [at]), _READ, _KEPT, _DATA])


def _fetch_to_write(builder: Any, function: Any, start: Any, _: Any) -> None:
    builder.call(function, [start, _WRITE, _KEPT, _DATA])


def _fetch_to_read(builder: Any, function: Any, start: Any, _: Any) -> None:
    builder.call(function, [start, _READ, _KEPT, _DATA])
