"""Random numbers of the tensor engine: one generator per rollout on the device, Poisson counts on any device."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

_TERMS = 64  # steps of the inversion; below _SPLIT the tail beyond is under 1e-16
_SPLIT = 16.0


def device_generator(device: torch.device, seed: int, epoch: int) -> torch.Generator:
    """A generator on the device whose stream depends on (seed, epoch) alone."""
    word = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> np.uint64(1)
    return torch.Generator(device).manual_seed(int(word))


def poisson(rate: Tensor, generator: torch.Generator) -> Tensor:
    """Poisson counts as floats of the shape of `rate`."""
    if rate.device.type == "mps":  # torch.poisson is missing there
        return poisson_by_inversion(rate, generator)
    return torch.poisson(rate.clamp(max=1e8), generator=generator)


def poisson_by_inversion(rate: Tensor, generator: torch.Generator) -> Tensor:
    """Poisson counts by a fixed number of inversion steps; above rate 16 by the rounded Cornish-Fisher quantile.

    The quantile's error is below 1 % of a standard deviation there, far below what the market can show.
    """
    u = torch.rand(rate.shape, dtype=rate.dtype, device=rate.device, generator=generator)
    small = rate.clamp(max=_SPLIT)
    mass = torch.exp(-small)
    upto, count = mass, torch.zeros_like(rate)
    for k in range(1, _TERMS):
        count = count + (u >= upto)
        mass = mass * small / k
        upto = upto + mass
    # float sums stop short of 1: numbers above the last sum must not run to the end
    tiny = torch.finfo(rate.dtype).eps
    z = math.sqrt(2.0) * torch.erfinv((2.0 * u - 1.0).clamp(-1.0 + tiny, 1.0 - tiny))
    root = rate.clamp(min=_SPLIT).sqrt()
    quantile = rate + root * z + (z * z - 1.0) / 6.0 + (z - z**3) / (72.0 * root)
    large = torch.floor(quantile + 0.5).clamp(min=0.0)
    return torch.where(rate > _SPLIT, large, torch.minimum(count, small + 12.0 * small.sqrt() + 12.0))
