"""The network of a policy forward and backward on CUDA, a row a thread, by the functions that one kernel is made of.

The units of a block's rows lie in its shared memory, unit by unit and `stride` numbers apart, from `source`, `target`,
`delta` or `units` on; where a row is meant, these are the places of its own numbers. Weights are one vector `flat`,
layer by layer weight [outputs, inputs] then bias; those of a layer begin at `w`.
"""

from __future__ import annotations

import numpy as np

from mmrl.kernels.jit import inlined
from mmrl.kernels.tanh import tanh


@inlined
def layer(flat, w, inputs, outputs, shared, source, target, stride, squash):  # type: ignore[no-untyped-def]
    """Four outputs of a row at a time: units of the row are `stride` apart, from `source` and to `target` on."""
    # unsigned, so that no index is tested for being negative
    first, place, step, count = np.uint64(w), np.uint64(source), np.uint64(stride), np.uint64(inputs)
    bias = first + count * np.uint64(outputs)
    for j in range(0, outputs, 4):
        j1, j2, j3 = min(j + 1, outputs - 1), min(j + 2, outputs - 1), min(j + 3, outputs - 1)
        a, b = flat[bias + np.uint64(j)], flat[bias + np.uint64(j1)]
        c, d = flat[bias + np.uint64(j2)], flat[bias + np.uint64(j3)]
        at_a, at_b = first + np.uint64(j) * count, first + np.uint64(j1) * count
        at_c, at_d = first + np.uint64(j2) * count, first + np.uint64(j3) * count
        for i in range(count):
            x = shared[place + i * step]
            a += flat[at_a + i] * x
            b += flat[at_b + i] * x
            c += flat[at_c + i] * x
            d += flat[at_d + i] * x
        if squash:
            a, b, c, d = tanh(a), tanh(b), tanh(c), tanh(d)
        into = np.uint64(target)
        shared[into + np.uint64(j3) * step] = (
            d  # the last ones first: beyond the outputs they are the last output again
        )
        shared[into + np.uint64(j2) * step] = c
        shared[into + np.uint64(j1) * step] = b
        shared[into + np.uint64(j) * step] = a


@inlined
def back(flat, w, inputs, outputs, shared, delta, units, stride):  # type: ignore[no-untyped-def]
    """The gradient of a row by the inputs of a layer, tanh units, in their place; four at a time."""
    first, place, step, count = np.uint64(w), np.uint64(delta), np.uint64(stride), np.uint64(inputs)
    for i in range(0, inputs, 4):
        i1, i2, i3 = min(i + 1, inputs - 1), min(i + 2, inputs - 1), min(i + 3, inputs - 1)
        a = b = c = d = np.float32(0.0)
        at_a, at_b, at_c, at_d = (
            first + np.uint64(i), first + np.uint64(i1), first + np.uint64(i2), first + np.uint64(i3),
        )  # fmt: skip
        for j in range(np.uint64(outputs)):
            slope, row = shared[place + j * step], j * count
            a += flat[at_a + row] * slope
            b += flat[at_b + row] * slope
            c += flat[at_c + row] * slope
            d += flat[at_d + row] * slope
        _through_tanh(shared, np.uint64(units) + np.uint64(i) * step, a)
        if i + 1 < inputs:
            _through_tanh(shared, np.uint64(units) + np.uint64(i1) * step, b)
        if i + 2 < inputs:
            _through_tanh(shared, np.uint64(units) + np.uint64(i2) * step, c)
        if i + 3 < inputs:
            _through_tanh(shared, np.uint64(units) + np.uint64(i3) * step, d)


@inlined
def _through_tanh(shared, at, slope):  # type: ignore[no-untyped-def]
    held = shared[at]
    shared[at] = slope * (np.float32(1.0) - held * held)


@inlined
def products(shared, delta, outputs, source, inputs, stride, w, thread, threads):  # type: ignore[no-untyped-def]
    """Add the gradients of the weights from `w` on, each the sum over the block's rows of the slope at its output
    times its input; a thread has patches of four outputs and two inputs."""
    step, rows = np.uint64(stride), np.uint64(threads)
    tall, wide = (outputs + 3) // 4, (inputs + 1) // 2
    for patch in range(thread, tall * wide, threads):
        j, i = patch // wide * 4, patch % wide * 2
        j1, j2, j3 = min(j + 1, outputs - 1), min(j + 2, outputs - 1), min(j + 3, outputs - 1)
        i1 = min(i + 1, inputs - 1)
        top, left = np.uint64(delta), np.uint64(source)
        at_a, at_b = top + np.uint64(j) * step, top + np.uint64(j1) * step
        at_c, at_d = top + np.uint64(j2) * step, top + np.uint64(j3) * step
        at_x, at_y = left + np.uint64(i) * step, left + np.uint64(i1) * step
        ax = bx = cx = dx = ay = by = cy = dy = np.float32(0.0)
        for r in range(rows):
            a, b, c, d = shared[at_a + r], shared[at_b + r], shared[at_c + r], shared[at_d + r]
            x, y = shared[at_x + r], shared[at_y + r]
            ax += a * x
            bx += b * x
            cx += c * x
            dx += d * x
            ay += a * y
            by += b * y
            cy += c * y
            dy += d * y
        _add(shared, w, inputs, j, i, ax, ay)
        if j + 1 < outputs:
            _add(shared, w, inputs, j1, i, bx, by)
        if j + 2 < outputs:
            _add(shared, w, inputs, j2, i, cx, cy)
        if j + 3 < outputs:
            _add(shared, w, inputs, j3, i, dx, dy)


@inlined
def _add(shared, w, inputs, j, i, x, y):  # type: ignore[no-untyped-def]
    shared[w + j * inputs + i] += x
    if i + 1 < inputs:
        shared[w + j * inputs + i + 1] += y
