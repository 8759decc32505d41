"""A policy as plain numpy arrays: what the compiled engine and a checkpoint reader need, no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mmrl.kernels.dense import BLOCK
from mmrl.kernels.network import padded
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
    """Flat float32 weights as `mmrl.kernels.network` takes them; int64 sizes (inputs, each layer's outputs, padded)."""
    sizes, parts, last = [weights.layers[0][0].shape[0]], [], len(weights.layers) - 1
    for layer, (w, b) in enumerate(weights.layers):
        inputs, outputs = sizes[-1], padded(w.shape[1])
        rows = np.zeros((1 + inputs + (sizes[0] if layer == last else 0), outputs), np.float32)
        rows[0, : b.size] = b
        rows[1 : 1 + w.shape[0], : w.shape[1]] = w
        if layer == last and weights.skip is not None:
            rows[1 + inputs :, : w.shape[1]] = weights.skip
        parts.append(rows.reshape(len(rows), -1, BLOCK).transpose(1, 0, 2).ravel())
        sizes.append(outputs)
    return np.concatenate(parts), np.array(sizes, np.int64)
