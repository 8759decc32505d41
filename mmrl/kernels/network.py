"""Forward pass of a small tanh network plus a linear map of its inputs in compiled code, float32.

Layers are packed in blocks of eight outputs (`mmrl.kernels.dense`), padded with zeros to a multiple of eight. The
linear map is part of the last layer: the network's inputs stand behind the hidden units that it takes.
"""

from mmrl.kernels.dense import BLOCK, dense, dense_beside
from mmrl.kernels.jit import inlined, inlined_fast
from mmrl.kernels.tanh import tanh_all, tanh_beside


def padded(n: int) -> int:
    """The next multiple of eight."""
    return -(-n // BLOCK) * BLOCK


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
            tanh_beside(hidden[row], sizes[layer + 1] * lanes)
    return row
