"""The numbers that a network begins with: orthogonal layers (Saxe, McClelland & Ganguli 2014), drawn as torch draws.

A seed gives what `torch.nn.Linear` and `torch.nn.init.orthogonal_` give after `torch.manual_seed`, up to rounding, on
every device. Learning on a CPU needs nothing else of torch, whose import takes longer than many a training.
"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
WHOLE = 16
"""Normal numbers that torch makes together; fewer are made one by one, in double precision."""


class _Torch:
    """The random numbers of torch on a CPU: a Mersenne Twister, and normal numbers by Box & Muller (1958)."""

    def __init__(self, seed: int) -> None:
        self._words = np.random.RandomState(seed & 0xFFFFFFFF)
        self._second: float | None = None

    def words(self, count: int) -> npt.NDArray[np.uint32]:
        """So many words of 32 bits."""
        return self._words.randint(0, 1 << 32, count, dtype=np.uint32)

    def normals(self, count: int) -> Float32:
        """Standard normal numbers [count]."""
        if count < WHOLE:
            return np.array([self._one() for _ in range(count)], np.float32)
        uniforms, over = self._uniforms(count), count % WHOLE
        found = np.concatenate([_normals_of(uniforms[: count - over]), uniforms[count - over :]])
        if over:
            found[-WHOLE:] = _normals_of(self._uniforms(WHOLE))
        return found

    def _uniforms(self, count: int) -> Float32:
        return (self.words(count) & 0xFFFFFF).astype(np.float32) * np.float32(2.0**-24)

    def _one(self) -> float:
        if self._second is not None:
            kept, self._second = self._second, None
            return kept
        words = [int(word) for word in self.words(4)]
        turn, length = (((high << 32 | low) & ((1 << 53) - 1)) * 2.0**-53 for high, low in (words[:2], words[2:]))
        radius, angle = math.sqrt(-2.0 * math.log1p(-length)), 2.0 * math.pi * turn
        self._second = radius * math.sin(angle)
        return radius * math.cos(angle)


def _normals_of(uniforms: Float32) -> Float32:
    """Normal numbers of uniform ones, in groups of sixteen of which the second half are angles."""
    length, turn = np.moveaxis(uniforms.reshape(-1, 2, WHOLE // 2), 1, 0)
    radius, angle = np.sqrt(np.float32(-2.0) * np.log(np.float32(1.0) - length)), np.float32(2.0 * math.pi) * turn
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1).reshape(-1)


def _orthogonal(rows: int, columns: int, gain: float, draws: _Torch) -> Float32:
    """A matrix [rows, columns] whose rows, or columns if they are fewer, are orthogonal and of length `gain`."""
    normal = draws.normals(rows * columns).reshape(rows, columns)
    q, r = np.linalg.qr(normal if rows >= columns else normal.T)
    q = q * np.sign(np.diag(r))
    return np.ascontiguousarray(q if rows >= columns else q.T) * np.float32(gain)


def network(sizes: tuple[int, ...], final_gain: float, seed: int) -> dict[str, Float32]:
    """Weights [outputs, inputs] and biases of each layer, and the linear map of the inputs, by name.

    `sizes` are inputs, then outputs of each layer. Biases and the linear map are zero. 5/3 keeps the variance through
    tanh; a small last layer starts every policy at its centre.
    """
    draws, layers = _Torch(seed), list(pairwise(sizes))
    draws.words(sum((inputs + 1) * outputs for inputs, outputs in layers))  # torch fills new layers twice
    found: dict[str, Float32] = {}
    for k, (inputs, outputs) in enumerate(layers):
        gain = 5 / 3 if k + 1 < len(layers) else final_gain
        found[f"linear.{k}.weight"] = _orthogonal(outputs, inputs, gain, draws)
        found[f"linear.{k}.bias"] = np.zeros(outputs, np.float32)
    return found | {"skip.weight": np.zeros((sizes[-1], sizes[0]), np.float32)}
