"""Forward and backward pass of a small tanh network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional


def tanh_network(observation: Tensor, weights: Sequence[Tensor], biases: Sequence[Tensor]) -> Tensor:
    """Outputs [rows, out] of a multilayer perceptron with tanh hidden units, weights [out, in]."""
    hidden = observation
    for weight, bias in zip(weights[:-1], biases[:-1], strict=True):
        hidden = torch.tanh(functional.linear(hidden, weight, bias))
    return functional.linear(hidden, weights[-1], biases[-1])
