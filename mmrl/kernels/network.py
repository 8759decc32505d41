"""Forward pass of a small tanh network plus a linear map of its inputs in compiled code, float32.

Layers are packed in blocks of eight outputs (`mmrl.kernels.dense`), padded with zeros to a multiple of eight. The
linear map is part of the last layer: the network's inputs stand behind the hidden units that it takes.
"""

from typing import Any

import numba
import numpy as np
from numba.extending import intrinsic

from mmrl.kernels.dense import BLOCK, dense, dense_beside
from mmrl.kernels.instructions import INT, LANES, written
from mmrl.kernels.jit import inlined, inlined_fast

_F = np.float32
# Rational approximation of tanh on [-7.9, 7.9], as in Eigen; relative error below 1e-6.
_LIMIT = _F(7.90531110763549805)
_A1, _A3, _A5 = _F(4.89352455891786e-03), _F(6.37261928875436e-04), _F(1.48572235717979e-05)
_A7, _A9 = _F(5.12229709037114e-08), _F(-8.60467152213735e-11)
_A11, _A13 = _F(2.00018790482477e-13), _F(-2.76076847742355e-16)
_B0, _B2 = _F(4.89352518554385e-03), _F(2.26843463243900e-03)
_B4, _B6 = _F(1.18534705686654e-04), _F(1.19825839466702e-06)


def padded(n: int) -> int:
    """The next multiple of eight."""
    return -(-n // BLOCK) * BLOCK


@inlined_fast
def tanh_all(x, n):
    """tanh of the first n entries, in place."""
    for j in range(n):
        v = min(max(x[j], -_LIMIT), _LIMIT)
        s = v * v
        top = ((((((_A13 * s + _A11) * s + _A9) * s + _A7) * s + _A5) * s + _A3) * s + _A1) * v
        x[j] = top / (((_B6 * s + _B4) * s + _B2) * s + _B0)


def _tanh_in_order(x, n):
    for j in range(n):
        tanh_all.py_func(x[j], LANES)


@intrinsic
def _tanh_in_vectors(typing, x, n):
    return written(_tanh, x, n)


def _tanh(w, x, n):
    j = w.variable(INT(0))
    with w.count(j, 1, n) as row:
        place = w.times(row, INT(LANES))
        v = w.bounded(w.vector(x, place), _LIMIT)
        s = w.product(v, v)
        top, below = w.number(_A13), w.number(_B6)
        for a in (_A11, _A9, _A7, _A5, _A3, _A1):
            top = w.add(w.product(top, s), w.number(a))
        for b in (_B4, _B2, _B0):
            below = w.add(w.product(below, s), w.number(b))
        w.put(w.ratio(w.product(top, v), below), x, place)


_config: Any = numba.config
tanh_beside = _tanh_in_order if _config.DISABLE_JIT or _config.ENABLE_CUDASIM else _tanh_in_vectors
"""tanh of the first n rows of eight numbers, in place, as `tanh_all` does it."""


@inlined
def width_of(sizes):
    """Numbers in a row of the memory of `forward`: the widest layer, and the network's inputs behind it."""
    widest = sizes[0]
    for i in range(1, sizes.shape[0]):
        widest = max(widest, sizes[i])
    return widest + sizes[0]


@inlined_fast
def forward(flat, sizes, hidden):
    """Run the network on row 0 of float32 `hidden` [3, `width_of(sizes)`]; returns the row where its output stands."""
    at = 0
    row = 0
    layers = sizes.shape[0] - 1
    for i in range(sizes[0]):
        hidden[2, i] = hidden[0, i]
    for layer in range(layers):
        inputs = sizes[layer]
        outputs = sizes[layer + 1]
        if layer == layers - 1:
            for i in range(sizes[0]):
                hidden[row, inputs + i] = hidden[2, i]
            inputs += sizes[0]
        dense(flat, at, inputs, outputs, hidden[row], hidden[1 - row])
        at += outputs * (inputs + 1)
        row = 1 - row
        if layer < layers - 1:
            tanh_all(hidden[row], outputs)
    return row


@inlined_fast
def forward_beside(flat, sizes, outputs, hidden):
    """`forward` for eight rows beside each other, the columns of float32 `hidden` [3, `width_of(sizes)`, 8].

    Each is to the last bit as alone. The last layer has at least `outputs` of its outputs.
    """
    at = 0
    row = 0
    layers = sizes.shape[0] - 1
    lanes = hidden.shape[2]
    for i in range(sizes[0]):
        for lane in range(lanes):
            hidden[2, i, lane] = hidden[0, i, lane]
    for layer in range(layers):
        inputs = sizes[layer]
        wanted = sizes[layer + 1]
        if layer == layers - 1:
            wanted = outputs
            for i in range(sizes[0]):
                for lane in range(lanes):
                    hidden[row, inputs + i, lane] = hidden[2, i, lane]
            inputs += sizes[0]
        dense_beside(flat, at, inputs, sizes[layer + 1], wanted, hidden[row], hidden[1 - row])
        at += sizes[layer + 1] * (inputs + 1)
        row = 1 - row
        if layer < layers - 1:
            tanh_beside(hidden[row], sizes[layer + 1])
    return row
