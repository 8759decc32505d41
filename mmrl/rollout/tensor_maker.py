"""Who quotes in the tensor engine: observations [N, obs] in, actions and market quotes [N, A] out."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from mmrl.kernels.play import OBSERVATION_CLIP
from mmrl.kernels.tensor_devices import real_type
from mmrl.markets.contract import Spec
from mmrl.rollout.quoters import Quoter


class TensorMaker:
    """Turns observations into actions and market quotes: the policy module, or a Quoter that is not learned."""

    def __init__(
        self, spec: Spec, policy: Any, normaliser: Any, generator: torch.Generator, device: torch.device
    ) -> None:
        self.policy, self.generator, self.spec = policy, generator, spec
        self.real = real_type(device)

        def tensor(values: Any) -> Tensor:
            return torch.tensor(values, dtype=self.real, device=device)

        self.mean = self.std = None
        if normaliser is not None:
            self.mean = torch.as_tensor(np.asarray(normaliser.mean), dtype=torch.float32).to(device)
            self.std = torch.as_tensor(np.asarray(normaliser.std), dtype=torch.float32).to(device)
        self.centre, self.scale = tensor([(axis.centre, axis.scale) for axis in spec.axes]).T
        self.grids = [tensor(axis.grid) for axis in spec.axes]
        self.kind = policy.kind if isinstance(policy, Quoter) else "learned"
        self.categorical = bool(getattr(policy, "choices", ()))
        skew = [axis.grid_skew if self.categorical else axis.skew for axis in spec.axes]
        # float32, as the action that it is added to
        self.skew, self.skewed = torch.tensor(skew, dtype=torch.float32, device=device), any(skew)
        if isinstance(policy, Quoter):
            if self.kind in ("learned", "observed") or (self.kind == "heuristic" and not spec.heuristic):
                raise ValueError(f"the {self.kind} quoter is not for the tensor engine in this market")
            self.linear = tensor(policy.linear)
            self.table = None if policy.table is None else tensor(policy.table.tolist())

    def normalise(self, raw: Tensor) -> Tensor:
        """Observations float32 [N, obs] as the policy sees them."""
        if self.mean is None or self.std is None:
            return raw.clamp(-OBSERVATION_CLIP, OBSERVATION_CLIP)
        return ((raw - self.mean) / self.std).clamp(-OBSERVATION_CLIP, OBSERVATION_CLIP)

    def quote(
        self, observation: Tensor, heuristic: Tensor | None, t: int, inventory: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Action float32 [N, A], the same in market units [N, A] and log-probability [N]."""
        if self.kind == "learned":
            action, log_prob = self.policy.sample(observation, self.generator)
            if self.categorical:
                quote = torch.stack([grid[action[:, k].long()] for k, grid in enumerate(self.grids)], 1)
            else:
                quote = self.centre + self.scale * action.to(self.real)
            if self.skewed:
                quote = quote + self.skew * self.spec.fade(1.0 - t / self.spec.steps) * inventory[:, None].float()
            return action, quote, log_prob
        if self.kind == "linear":
            constant, per_share, per_time = self.linear.T
            left = 1.0 - t / self.spec.steps
            quote = constant + per_share * inventory[:, None].to(self.real) + per_time * left
        elif self.kind == "heuristic":
            assert heuristic is not None
            quote = heuristic
        else:
            assert self.table is not None
            edge = (self.table.shape[1] - 1) // 2
            row = t * self.table.shape[0] // self.spec.steps
            quote = self.table[row][inventory.clamp(-edge, edge) + edge]
        return quote.float(), quote, torch.zeros_like(observation[:, 0])
