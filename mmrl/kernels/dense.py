"""One dense layer for one row, in vectors of eight outputs.

LLVM makes vectors of loops over rows, not of this product: written in Python alone it runs at a third of the speed.
Numba's simulator of CUDA and NUMBA_DISABLE_JIT take the Python, `in_order`.
"""

from __future__ import annotations

from typing import Any

import numba
from numba.extending import intrinsic

from mmrl.kernels.instructions import INT, LANES, Writer, written

BLOCK = LANES
"""Outputs of a block of weights: eight biases, then eight weights for each input."""
SUMS = 4
"""Vectors that are summed beside each other, so that no sum waits for the one before."""


def in_order(flat: Any, at: int, inputs: int, outputs: int, x: Any, y: Any) -> None:
    """y[:outputs] = b + W x[:inputs], float32; blocks of weights from flat[at] on, outputs a multiple of eight."""
    for j in range(0, outputs, BLOCK):
        for r in range(BLOCK):
            total = flat[at + r]
            for i in range(inputs):
                total += flat[at + (i + 1) * BLOCK + r] * x[i]
            y[j + r] = total
        at += (inputs + 1) * BLOCK


@intrinsic
def in_vectors(typing: Any, flat: Any, at: Any, inputs: Any, outputs: Any, x: Any, y: Any) -> Any:
    """The same, four vectors at a time: of four blocks, of two with two sums each, or of one with four."""
    return written(_layer, flat, at, inputs, outputs, x, y)


def _layer(w: Writer, flat: Any, at: Any, inputs: Any, outputs: Any, x: Any, y: Any) -> None:
    size = w.times(w.sum(inputs, INT(1)), INT(BLOCK))
    place, output = w.variable(at), w.variable(INT(0))
    for blocks in (4, 2, 1):
        with w.count(output, blocks * BLOCK, outputs) as j:
            first = w.builder.load(place)
            starts = [w.sum(first, w.times(size, INT(k))) for k in range(blocks)]
            _blocks(w, flat, starts, inputs, x, y, j)
            w.builder.store(w.sum(first, w.times(size, INT(blocks))), place)


def _blocks(w: Writer, flat: Any, starts: list[Any], inputs: Any, x: Any, y: Any, output: Any) -> None:
    """Blocks that start at these weights, each as several sums, one for every so many-th input."""
    sums = SUMS // len(starts)
    totals = [[w.variable(w.vector(flat, start)), *(w.variable(w.zero) for _ in range(sums - 1))] for start in starts]
    i = w.variable(INT(0))
    for step in sorted({sums, 1}, reverse=True):
        with w.count(i, step, inputs) as first:
            for s in range(step):
                input_ = w.sum(first, INT(s))
                number, behind = w.spread(x, input_), w.times(w.sum(input_, INT(1)), INT(BLOCK))
                for start, parts in zip(starts, totals, strict=True):
                    w.add_product(parts[s], number, w.vector(flat, w.sum(start, behind)))
    for k, parts in enumerate(totals):
        whole = w.builder.load(parts[0])
        for part in parts[1:]:
            whole = w.add(whole, w.builder.load(part))
        w.put(whole, y, w.sum(output, INT(k * BLOCK)))


def beside_in_order(flat: Any, at: int, inputs: int, outputs: int, wanted: int, x: Any, y: Any) -> None:
    """The same layer for eight rows beside each other, x[i, row] and y[j, row]; outputs beyond `wanted` may be left."""
    for row in range(LANES):
        in_order(flat, at, inputs, outputs, x[:, row], y[:, row])


@intrinsic
def beside_in_vectors(typing: Any, flat: Any, at: Any, inputs: Any, outputs: Any, wanted: Any, x: Any, y: Any) -> Any:
    """The same, in vectors of eight rows: a weight is read once for all. Sums are those of one row, in its order, so
    that every row is what `in_vectors` makes of it, to the last bit."""
    return written(_layer_of_rows, flat, at, inputs, outputs, wanted, x, y)


def _layer_of_rows(w: Writer, flat: Any, at: Any, inputs: Any, outputs: Any, wanted: Any, x: Any, y: Any) -> None:
    size = w.times(w.sum(inputs, INT(1)), INT(BLOCK))
    place, output = w.variable(at), w.variable(INT(0))
    for blocks in (4, 2, 1):
        sums = SUMS // blocks
        tall = LANES // sums
        with w.count(output, blocks * BLOCK, outputs) as j:
            first, k = w.builder.load(place), w.variable(INT(0))
            left = w.sum(wanted, w.builder.neg(j), INT(tall - 1))
            with w.count(k, tall, w.least(left, INT(blocks * BLOCK))) as one:
                block, within = w.builder.udiv(one, INT(BLOCK)), w.builder.urem(one, INT(BLOCK))
                start = w.sum(first, w.times(block, size), within)
                _outputs_of_rows(w, flat, start, tall, sums, inputs, x, y, w.sum(j, one))
            w.builder.store(w.sum(first, w.times(size, INT(blocks))), place)


def _outputs_of_rows(
    w: Writer, flat: Any, start: Any, tall: int, sums: int, inputs: Any, x: Any, y: Any, output: Any
) -> None:
    """So many outputs of a block, whose biases start here, each as several sums, one for every so many-th input."""
    totals = [
        [w.variable(w.spread(flat, w.sum(start, INT(k)))), *(w.variable(w.zero) for _ in range(sums - 1))]
        for k in range(tall)
    ]
    i = w.variable(INT(0))
    for step in sorted({sums, 1}, reverse=True):
        with w.count(i, step, inputs) as first:
            for s in range(step):
                input_ = w.sum(first, INT(s))
                numbers = w.vector(x, w.times(input_, INT(LANES)))
                behind = w.sum(start, w.times(w.sum(input_, INT(1)), INT(BLOCK)))
                for k, parts in enumerate(totals):
                    w.add_product(parts[s], w.spread(flat, w.sum(behind, INT(k))), numbers)
    for k, parts in enumerate(totals):
        whole = w.builder.load(parts[0])
        for part in parts[1:]:
            whole = w.add(whole, w.builder.load(part))
        w.put(whole, y, w.times(w.sum(output, INT(k)), INT(LANES)))


_config: Any = numba.config
_plain = _config.DISABLE_JIT or _config.ENABLE_CUDASIM
dense: Any = in_order if _plain else in_vectors
"""A layer for one row, as kernels call it."""
dense_beside: Any = beside_in_order if _plain else beside_in_vectors
"""A layer for eight rows beside each other, as kernels call it."""
