"""Forward pass of a small tanh network plus a linear map of its inputs in compiled code, float32.

Layers are packed in blocks of eight outputs: eight biases, then eight weights for each input. So one block's
accumulators stay in vector registers. Outputs are padded with zeros to a multiple of eight. Behind the layers stand the
weights of the linear map, [inputs, outputs].
"""

import numpy as np

from mmrl.kernels.jit import inlined_fast

BLOCK = 8
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


@inlined_fast
def forward(flat, sizes, hidden):
    """Run the network on the input in row 0 of float32 `hidden` [3, width]; returns the row of the output."""
    at = 0
    row = 0
    layers = sizes.shape[0] - 1
    for i in range(sizes[0]):
        hidden[2, i] = hidden[0, i]
    for layer in range(layers):
        inputs = sizes[layer]
        outputs = sizes[layer + 1]
        x = hidden[row]
        y = hidden[1 - row]
        for j in range(0, outputs, 8):
            w = flat[at : at + 8 * (inputs + 1)]
            a0, a1, a2, a3, a4, a5, a6, a7 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
            k = 8
            for i in range(inputs):
                v = x[i]
                a0 += v * w[k]
                a1 += v * w[k + 1]
                a2 += v * w[k + 2]
                a3 += v * w[k + 3]
                a4 += v * w[k + 4]
                a5 += v * w[k + 5]
                a6 += v * w[k + 6]
                a7 += v * w[k + 7]
                k += 8
            y[j], y[j + 1], y[j + 2], y[j + 3] = a0, a1, a2, a3
            y[j + 4], y[j + 5], y[j + 6], y[j + 7] = a4, a5, a6, a7
            at += 8 * (inputs + 1)
        if layer < layers - 1:
            tanh_all(y, outputs)
        row = 1 - row
    y = hidden[row]
    outputs = sizes[layers]
    for i in range(sizes[0]):
        v = hidden[2, i]
        for j in range(outputs):
            y[j] += v * flat[at + j]
        at += outputs
    return row
