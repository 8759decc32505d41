"""A policy as plain numpy arrays: what the compiled engine and a checkpoint reader need, no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float32 = npt.NDArray[np.float32]
OBSERVATION_CLIP = 10.0


@dataclass(frozen=True)
class PolicyWeights:
    """Layers (W[in, out], b[out]) with tanh between, log_std[A], observation scale; all float32."""

    layers: list[tuple[Float32, Float32]]
    log_std: Float32  # [A], empty for a categorical policy
    obs_mean: Float32  # [obs]
    obs_std: Float32  # [obs]

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
        return hidden @ weight + bias
