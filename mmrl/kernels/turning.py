"""Tiles of eight steps of eight trajectories, written by step and read by trajectory, in vectors of eight numbers.

Trajectories that are played side by side leave a step of all of them at once; in a batch the steps of each follow one
another. Turned eight by eight, every column of a trajectory gets a whole line of memory at once. Numba's simulator of
CUDA and NUMBA_DISABLE_JIT take the loops.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.extending import intrinsic

from mmrl.kernels.instructions import INT, LANES
from mmrl.kernels.prefetch import LINE

_INDEX = ir.IntType(32)
_HALVES = tuple(
    (
        gap,
        [k if not k & gap else k - gap + LANES for k in range(LANES)],
        [k + gap if not k & gap else k + LANES for k in range(LANES)],
    )
    for gap in (1, 2, 4)
)
"""How a matrix is turned: of two rows that lie a gap apart, which numbers of both each of them gets."""
_PAIRS = [k // 2 + LANES * (k % 2) for k in range(2 * LANES)]


def _shuffled(builder: Any, a: Any, b: Any, places: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(_INDEX, len(places)), places))


def _vector(context: Any, array: Any, width: int = LANES) -> Any:
    return ir.VectorType(context.get_data_type(array.dtype), width)


def _converted(builder: Any, vector: Any, kind: Any) -> Any:
    """The same numbers in a smaller type."""
    if vector.type == kind:
        return vector
    shorter = builder.trunc if isinstance(kind.element, ir.IntType) else builder.fptrunc
    return shorter(vector, kind)


class Lines(NamedTuple):
    """Rows of eight numbers that lie one after another, as an LLVM builder reads and writes them."""

    builder: Any
    data: Any

    def read(self, kind: Any, row: int) -> Any:
        """A row as a vector of this type."""
        return self.builder.load(self._place(kind, row), align=4)

    def write(self, vector: Any, row: int) -> None:
        """Put a vector into a row."""
        self.builder.store(vector, self._place(vector.type, row), align=4)

    def _place(self, kind: Any, row: int) -> Any:
        return self.builder.bitcast(self.builder.gep(self.data, [INT(LANES * row)]), kind.as_pointer())


def rows_of(context: Any, builder: Any, signature: Any, values: Any) -> list[Any]:
    """The arguments of an intrinsic: each array as its `Lines`."""
    arrays = [kind for kind in signature.args if isinstance(kind, types.Array)]
    _require_rows_in_order(*arrays)
    return [
        Lines(builder, context.make_array(kind)(context, builder, value).data) if kind in arrays else value
        for kind, value in zip(signature.args, values, strict=True)
    ]


def _require_rows_in_order(*arrays: Any) -> None:
    if any(array.layout != "C" for array in arrays):
        raise TypingError("numbers that do not lie one after another cannot be read as vectors")


@intrinsic
def _put(typing: Any, tile: Any, row: Any, numbers: Any) -> Any:
    _require_rows_in_order(tile, numbers)

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        to, given = (context.make_array(signature.args[k])(context, builder, values[k]) for k in (0, 2))
        kind, source = _vector(context, signature.args[0]), _vector(context, signature.args[2])
        at = builder.mul(context.cast(builder, values[1], signature.args[1], types.int64), INT(LANES))
        found = builder.load(builder.bitcast(given.data, source.as_pointer()), align=4)
        place = builder.bitcast(builder.gep(to.data, [at]), kind.as_pointer())
        builder.store(_converted(builder, found, kind), place, align=4)
        return context.get_dummy_value()

    return types.void(tile, row, numbers), code


def _put_in_order(tile: Any, row: int, numbers: Any) -> None:
    tile[row] = numbers


def _turned(builder: Any, data: Any, source: Any, kind: Any, first: int, apart: int) -> list[Any]:
    """Eight rows of a tile as vectors, turned."""
    rows = []
    for k in range(LANES):
        place = builder.gep(data, [INT(LANES * (first + apart * k))])
        rows.append(_converted(builder, builder.load(builder.bitcast(place, source.as_pointer()), align=4), kind))
    for gap, one, other in _HALVES:
        for k in range(LANES):
            if not k & gap:
                a, b = rows[k], rows[k + gap]
                rows[k], rows[k + gap] = _shuffled(builder, a, b, one), _shuffled(builder, a, b, other)
    return rows


@intrinsic
def _turn(typing: Any, tile: Any, column: Any, first: Any, apart: Any) -> Any:
    _require_rows_in_order(tile, column)
    wide = column.ndim == 2  # of two numbers a row

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        source, to = (context.make_array(signature.args[k])(context, builder, values[k]) for k in (0, 1))
        given, kind = _vector(context, signature.args[0]), _vector(context, signature.args[1])
        at, gap = (context.cast(builder, values[k], signature.args[k], types.int64) for k in (2, 3))
        lanes = _turned(builder, source.data, given, kind, 0, 1 + wide)
        if wide:
            others = _turned(builder, source.data, given, kind, 1, 2)
            lanes = [_shuffled(builder, a, b, _PAIRS) for a, b in zip(lanes, others, strict=True)]
        for lane, numbers in enumerate(lanes):
            place = builder.mul(builder.add(at, builder.mul(gap, INT(lane))), INT(1 + wide))
            builder.store(numbers, builder.bitcast(builder.gep(to.data, [place]), numbers.type.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(tile, column, first, apart), code


@intrinsic
def _clear(typing: Any, column: Any, first: Any, apart: Any) -> Any:
    _require_rows_in_order(column)

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        to, kind = context.make_array(signature.args[0])(context, builder, values[0]), _vector(context, column)
        at, gap = (context.cast(builder, values[k], signature.args[k], types.int64) for k in (1, 2))
        for lane in range(LANES):
            place = builder.gep(to.data, [builder.add(at, builder.mul(gap, INT(lane)))])
            builder.store(ir.Constant(kind, None), builder.bitcast(place, kind.as_pointer()), align=4)
        return context.get_dummy_value()

    return types.void(column, first, apart), code


def _clear_in_order(column: Any, first: int, apart: int) -> None:
    for lane in range(LANES):
        column[int(first) + lane * int(apart) :][:LANES] = 0


def _turn_in_order(tile: Any, column: Any, first: int, apart: int) -> None:
    for lane in range(LANES):
        to = column[int(first) + lane * int(apart) :][:LANES]
        to[:] = tile[:, lane] if column.ndim == 1 else tile.reshape(LANES, 2, LANES)[:, :, lane]


def _taken(builder: Any, source: Any, places: Any, kind: Any) -> Any:
    """Numbers, or pairs of them, at eight places as one vector, joined two by two."""
    found = []
    for lane in range(LANES):
        place = builder.mul(builder.load(builder.gep(places, [INT(lane)])), INT(kind.count))
        found.append(builder.load(builder.bitcast(builder.gep(source, [place]), kind.as_pointer()), align=8))
    while len(found) > 1:
        both = list(range(2 * found[0].type.count))
        found = [_shuffled(builder, a, b, both) for a, b in zip(found[::2], found[1::2], strict=True)]
    return found[0]


def _taking(width: int) -> Any:
    def take(typing: Any, source: Any, places: Any, out: Any) -> Any:
        _require_rows_in_order(source, places, out)

        def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
            given, at, to = (context.make_array(signature.args[k])(context, builder, values[k]) for k in range(3))
            found = _taken(builder, given.data, at.data, ir.VectorType(ir.DoubleType(), width))
            for k in range(width):
                numbers = _shuffled(builder, found, found, list(range(k, width * LANES, width)))
                place = builder.bitcast(builder.gep(to.data, [INT(LANES * k)]), numbers.type.as_pointer())
                builder.store(numbers, place, align=8)
            return context.get_dummy_value()

        return types.void(source, places, out), code

    return intrinsic(take)


def _take_in_order(source: Any, places: Any, out: Any) -> None:
    out[:] = source[places].T


@intrinsic
def _largest(typing: Any, numbers: Any) -> Any:
    _require_rows_in_order(numbers)

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        kind, array = ir.VectorType(INT, LANES), context.make_array(signature.args[0])(context, builder, values[0])
        name = "llvm.vector.reduce.smax.v8i64"
        function = cgutils.get_or_insert_function(builder.module, ir.FunctionType(INT, [kind]), name)
        return builder.call(function, [builder.load(builder.bitcast(array.data, kind.as_pointer()), align=8)])

    return types.int64(numbers), code


def _largest_in_order(numbers: Any) -> int:
    return int(numbers.max())


@intrinsic
def _on_stack(typing: Any, kind: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        record = signature.return_type
        with builder.goto_entry_block():
            place = builder.alloca(context.get_data_type(record))
        place.align = LINE
        cgutils.memset(builder, place, INT(record.size), 0)
        return place

    return kind.dtype(kind), code


def _as_array(kind: Any) -> Any:
    return np.zeros(1, kind)[0]


_config: Any = numba.config
_plain = _config.DISABLE_JIT or _config.ENABLE_CUDASIM
put: Any = _put_in_order if _plain else _put
"""put(tile, row, numbers): eight numbers, one a trajectory, become a row of a tile [rows, 8]."""
turn: Any = _turn_in_order if _plain else _turn
"""turn(tile, column, first, apart): row k, number n of a tile becomes row first + n apart + k of a column; of a column
[rows, 2] rows 2 k and 2 k + 1 of the tile are its two numbers."""
clear: Any = _clear_in_order if _plain else _clear
"""clear(column, first, apart): the rows that `turn` would write become 0."""
take: Any = _take_in_order if _plain else _taking(1)
"""take(numbers, places, out): float64 numbers [N] at eight places, out [8]."""
take_pairs: Any = _take_in_order if _plain else _taking(2)
"""The same for pairs [N, 2], out [2, 8]."""
largest: Any = _largest_in_order if _plain else _largest
"""The largest of eight int64."""
on_stack: Any = _as_array if _plain else _on_stack
"""on_stack(type): a record, all 0, of a kernel's own. LLVM knows that nothing else is written to or read there, which
it has to know of what it makes vectors of; and a vector of eight is a line of memory, never parts of two."""
