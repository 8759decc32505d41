"""Vectors of float32 numbers as LLVM instructions, for the few loops that LLVM does not turn into good ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numba
from llvmlite import binding, ir
from numba import types
from numba.core import cgutils

LANES = 8
"""Numbers of a vector, where trajectories or outputs of a layer lie beside each other."""
INT = ir.IntType(64)
_FAST = ("fast",)


def _widest() -> int:
    chosen = numba.config.CPU_FEATURES  # type: ignore[attr-defined]
    features = binding.get_host_cpu_features().flatten() if chosen is None else chosen
    return 16 if "+avx512f" in features.split(",") else LANES


WIDEST = _widest()
"""Numbers of a vector as wide as this processor has them, eight at least, for many numbers alike."""


def written(write: Callable[..., None], *kinds: Any, lanes: int = LANES) -> tuple[Any, Callable[..., Any]]:
    """What an intrinsic of numba returns that takes arrays and whole numbers and gives nothing back: `write` gets a
    Writer of vectors of so many numbers, and for each array its `Numbers`."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        def plain(kind: Any, value: Any) -> Any:
            if not isinstance(kind, types.Array):
                return context.cast(builder, value, kind, types.int64)
            array = context.make_array(kind)(context, builder, value)
            if kind.ndim > 1 or kind.layout == "C":
                return Numbers(array.data, None)
            return Numbers(array.data, builder.sdiv(cgutils.unpack_tuple(builder, array.strides)[0], array.itemsize))

        write(Writer(builder, lanes), *map(plain, signature.args, values))
        return context.get_dummy_value()

    return types.void(*kinds), code


class Numbers(NamedTuple):
    """An array as instructions see it: the address of its first number, and how many numbers further the next one is;
    None where they lie one after another, as all do but those of a thread of CUDA."""

    data: Any
    stride: Any


class Writer:
    """What an LLVM builder is asked for here."""

    def __init__(self, builder: Any, lanes: int) -> None:
        self.builder, self.lanes = builder, lanes
        self.kind = ir.VectorType(ir.FloatType(), lanes)
        self.zero = ir.Constant(self.kind, [0.0] * lanes)

    def variable(self, value: Any) -> Any:
        """A place with that value, in the function's first block: LLVM turns it into a register."""
        with self.builder.goto_entry_block():
            place = self.builder.alloca(value.type)
        self.builder.store(value, place)
        return place

    def sum(self, *numbers: Any) -> Any:
        """Of whole numbers."""
        total = numbers[0]
        for one in numbers[1:]:
            total = self.builder.add(total, one)
        return total

    def times(self, a: Any, b: Any) -> Any:
        """Product of two whole numbers."""
        return self.builder.mul(a, b)

    def least(self, a: Any, b: Any) -> Any:
        """The smaller of two whole numbers."""
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    def vector(self, array: Any, place: Any) -> Any:
        """Numbers of an array, from `place` on."""
        if array.stride is None:
            return self.builder.load(self._first(array, place), align=4)
        found: Any = ir.Constant(self.kind, ir.Undefined)
        for k in range(self.lanes):
            number = self.builder.load(self._at(array, self.sum(place, INT(k))))
            found = self.builder.insert_element(found, number, ir.IntType(32)(k))
        return found

    def put(self, vector: Any, array: Any, place: Any) -> None:
        """Write its numbers from `place` on."""
        if array.stride is None:
            self.builder.store(vector, self._first(array, place), align=4)
            return
        for k in range(self.lanes):
            number = self.builder.extract_element(vector, ir.IntType(32)(k))
            self.builder.store(number, self._at(array, self.sum(place, INT(k))))

    def spread(self, array: Any, place: Any) -> Any:
        """The number at `place` in every lane."""
        number = self.builder.load(self._at(array, place))
        undefined, index = ir.Constant(self.kind, ir.Undefined), ir.IntType(32)
        first = self.builder.insert_element(undefined, number, index(0))
        same = ir.Constant(ir.VectorType(index, self.lanes), [0] * self.lanes)
        return self.builder.shuffle_vector(first, undefined, same)

    def add(self, a: Any, b: Any) -> Any:
        """Sum of two vectors."""
        return self.builder.fadd(a, b, flags=_FAST)

    def product(self, a: Any, b: Any) -> Any:
        """Product of two vectors."""
        return self.builder.fmul(a, b, flags=_FAST)

    def ratio(self, a: Any, b: Any) -> Any:
        """Ratio of two vectors, rounded as alone."""
        return self.builder.fdiv(a, b, flags=("nnan", "ninf", "nsz", "contract", "afn", "reassoc"))

    def number(self, x: Any) -> Any:
        """A constant in every lane."""
        return ir.Constant(self.kind, [float(x)] * self.lanes)

    def bounded(self, vector: Any, most: Any) -> Any:
        """The vector with every number between -most and most; what is not a number stays what it is."""
        for way, edge in (("<", self.number(-most)), (">", self.number(most))):
            outside = self.builder.fcmp_ordered(way, vector, edge)
            vector = self.builder.select(outside, edge, vector)
        return vector

    def add_product(self, place: Any, a: Any, b: Any) -> None:
        """Add a times b to the vector of a variable."""
        self.builder.store(self.add(self.builder.load(place), self.builder.fmul(a, b, flags=_FAST)), place)

    def add_total(self, vector: Any, array: Any, place: Any) -> None:
        """Add the sum of a vector's numbers to the number at `place`."""
        number, builder = ir.FloatType(), self.builder
        name = f"llvm.vector.reduce.fadd.v{self.lanes}f32"
        reduce = cgutils.get_or_insert_function(builder.module, ir.FunctionType(number, [number, self.kind]), name)
        address = self._at(array, place)
        builder.store(builder.call(reduce, [builder.load(address), vector], fastmath=_FAST), address)

    @contextmanager
    def count(self, place: Any, step: int, end: Any) -> Iterator[Any]:
        """What is written inside, for each value of the variable `place` that leaves room for a whole step to `end`."""
        builder = self.builder
        head, body, after = (builder.append_basic_block(f"count.{name}") for name in ("head", "body", "after"))
        builder.branch(head)
        builder.position_at_end(head)
        at = builder.load(place)
        builder.cbranch(builder.icmp_signed("<=", builder.add(at, INT(step)), end), body, after)
        builder.position_at_end(body)
        yield at
        builder.store(builder.add(at, INT(step)), place)
        builder.branch(head)
        builder.position_at_end(after)

    def _at(self, array: Any, place: Any) -> Any:
        return self.builder.gep(array.data, [place if array.stride is None else self.times(place, array.stride)])

    def _first(self, array: Any, place: Any) -> Any:
        return self.builder.bitcast(self._at(array, place), self.kind.as_pointer())
