"""A policy as plain numpy arrays: what the compiled engine and a checkpoint reader need, no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmrl.kernels.network import BLOCK, padded
from mmrl.kernels.play import OBSERVATION_CLIP

Float32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class PolicyWeights:
    """Layers (W[in, out], b[out]), tanh between, a linear map of the inputs, log_std, observation scale; float32."""

    layers: list[tuple[Float32, Float32]]
    log_std: Float32  # [A], empty for a categorical policy
    obs_mean: Float32  # [obs]
    obs_std: Float32  # [obs]
    skip: Float32 | None = None  # [obs, out], the linear map; None: there is none

    def normalise(self, raw: Float32) -> Float32:
        """Raw observations [..., obs] as the network sees them."""
        scaled = (raw - self.obs_mean) / self.obs_std
        return np.clip(scaled, -OBSERVATION_CLIP, OBSERVATION_CLIP).astype(np.float32)

    def forward(self, observation: Float32) -> Float32:
        """Means (or logits) [..., out] of normalised observations [..., obs]."""
        hidden = observation
        for weight, bias in self.layers[:-1]:
            hidden = np.tanh(hidden @ weight + bias)
        weight, bias = self.layers[-1]
        outputs: Float32 = hidden @ weight + bias
        return outputs if self.skip is None else outputs + observation @ self.skip


def pack(weights: PolicyWeights) -> tuple[Float32, np.ndarray]:
    """Flat float32 weights in blocks, then the linear map; int64 sizes (inputs, each layer's outputs, padded)."""
    sizes, parts = [weights.layers[0][0].shape[0]], []
    for w, b in weights.layers:
        inputs, outputs = sizes[-1], padded(w.shape[1])
        wide = np.zeros((inputs, outputs), np.float32)
        wide[: w.shape[0], : w.shape[1]] = w
        bias = np.zeros((1, outputs), np.float32)
        bias[0, : b.size] = b
        stacked = np.concatenate([bias, wide])
        parts.append(stacked.reshape(inputs + 1, -1, BLOCK).transpose(1, 0, 2).ravel())
        sizes.append(outputs)
    skip = np.zeros((sizes[0], sizes[-1]), np.float32)
    if weights.skip is not None:
        skip[:, : weights.skip.shape[1]] = weights.skip
    parts.append(skip.ravel())
    return np.concatenate(parts).astype(np.float32), np.array(sizes, np.int64)
