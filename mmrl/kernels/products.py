"""Products of weights with blocks of rows, [units, BLOCK], in vectors of rows: most of the work of a gradient.

Eight vectors of sums stay in registers, which LLVM does not find by itself. NUMBA_DISABLE_JIT takes the Python.
"""

from __future__ import annotations

from typing import Any

import numba
from numba.extending import intrinsic

from mmrl.kernels.instructions import INT, WIDEST, Writer, written

BLOCK = 128
"""Rows of a block."""


def _mix_in_order(
    weights: Any, at: int, wide: int, deep: int, inputs: int, outputs: int, source: Any, target: Any
) -> None:
    """target[j, :] += sum_i weights[at + j wide + i deep] source[i, :] for j < outputs, i < inputs."""
    for j in range(outputs):
        for i in range(inputs):
            for r in range(BLOCK):
                target[j, r] += weights[at + j * wide + i * deep] * source[i, r]


@intrinsic
def _mix_in_vectors(
    typing: Any, weights: Any, at: Any, wide: Any, deep: Any, inputs: Any, outputs: Any, source: Any, target: Any
) -> Any:
    return written(_mix, weights, at, wide, deep, inputs, outputs, source, target, lanes=WIDEST)


def _mix(
    w: Writer, weights: Any, at: Any, wide: Any, deep: Any, inputs: Any, outputs: Any, source: Any, target: Any
) -> None:
    """Tiles of four outputs (then one) and two vectors of rows."""
    j = w.variable(INT(0))
    for tall in (4, 1):
        with w.count(j, tall, outputs) as output:
            first = [w.sum(at, w.times(w.sum(output, INT(k)), wide)) for k in range(tall)]
            rows = [w.times(w.sum(output, INT(k)), INT(BLOCK)) for k in range(tall)]
            r = w.variable(INT(0))
            with w.count(r, 2 * w.lanes, INT(BLOCK)) as row:
                places = [[w.sum(start, row, INT(v * w.lanes)) for v in range(2)] for start in rows]
                sums = [[w.variable(w.vector(target, place)) for place in pair] for pair in places]
                i = w.variable(INT(0))
                with w.count(i, 1, inputs) as input_:
                    from_ = w.sum(w.times(input_, INT(BLOCK)), row)
                    vectors = [w.vector(source, w.sum(from_, INT(v * w.lanes))) for v in range(2)]
                    for start, pair in zip(first, sums, strict=True):
                        weight = w.spread(weights, w.sum(start, w.times(input_, deep)))
                        for place, vector in zip(pair, vectors, strict=True):
                            w.add_product(place, weight, vector)
                for pair, into in zip(sums, places, strict=True):
                    for place, where in zip(pair, into, strict=True):
                        w.put(w.builder.load(place), target, where)


def _pair_in_order(delta: Any, outputs: int, units: Any, inputs: int, grads: Any, at: int) -> None:
    """grads[at + j inputs + i] += sum over rows of delta[j] units[i]."""
    for j in range(outputs):
        for i in range(inputs):
            total = grads[at + j * inputs + i]
            for r in range(BLOCK):
                total += delta[j, r] * units[i, r]
            grads[at + j * inputs + i] = total


@intrinsic
def _pair_in_vectors(typing: Any, delta: Any, outputs: Any, units: Any, inputs: Any, grads: Any, at: Any) -> Any:
    return written(_pair, delta, outputs, units, inputs, grads, at, lanes=WIDEST)


def _pair(w: Writer, delta: Any, outputs: Any, units: Any, inputs: Any, grads: Any, at: Any) -> None:
    """Tiles of two outputs and four inputs (then one of each)."""
    j = w.variable(INT(0))
    for tall in (2, 1):
        with w.count(j, tall, outputs) as output:
            i = w.variable(INT(0))
            for wide in (4, 1):
                with w.count(i, wide, inputs) as input_:
                    sums = [[w.variable(w.zero) for _ in range(wide)] for _ in range(tall)]
                    r = w.variable(INT(0))
                    with w.count(r, w.lanes, INT(BLOCK)) as row:
                        places = [w.sum(w.times(w.sum(input_, INT(k)), INT(BLOCK)), row) for k in range(wide)]
                        seen = [w.vector(units, place) for place in places]
                        for k, one in enumerate(sums):
                            d = w.vector(delta, w.sum(w.times(w.sum(output, INT(k)), INT(BLOCK)), row))
                            for place, vector in zip(one, seen, strict=True):
                                w.add_product(place, d, vector)
                    for k, one in enumerate(sums):
                        start = w.sum(at, w.times(w.sum(output, INT(k)), inputs), input_)
                        for n, place in enumerate(one):
                            w.add_total(w.builder.load(place), grads, w.sum(start, INT(n)))


_plain: Any = numba.config.DISABLE_JIT  # type: ignore[attr-defined]
mix: Any = _mix_in_order if _plain else _mix_in_vectors
"""Adds weighted sums of rows: a layer's outputs, or what its inputs have in the loss."""
pair: Any = _pair_in_order if _plain else _pair_in_vectors
"""Adds the gradient of a layer's weights."""
