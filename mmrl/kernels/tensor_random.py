"""Random numbers of the tensor engine: one generator per rollout on the device, Poisson counts on any device."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

from mmrl.kernels.tensor_devices import is_mps

_TERMS = 64  # of the inversion's sum; below _SPLIT the tail beyond is under 1e-16
_TINY = 1e-30  # a rate whose logarithm is finite, at which nothing happens
_SPLIT = 16.0


def device_generator(device: torch.device, seed: int, epoch: int) -> torch.Generator:
    """A generator on the device whose stream depends on (seed, epoch) alone."""
    word = np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> np.uint64(1)
    return torch.Generator(device).manual_seed(int(word))


def poisson(rate: Tensor, generator: torch.Generator) -> Tensor:
    """Poisson counts as floats of the shape of `rate`."""
    if is_mps(rate.device):  # torch.poisson is missing there
        return poisson_by_inversion(rate, generator)
    return torch.poisson(rate.clamp(max=1e8), generator=generator)


def poisson_by_inversion(rate: Tensor, generator: torch.Generator) -> Tensor:
    """Poisson counts by inversion, all terms side by side; above rate 16 by the rounded Cornish-Fisher quantile.

    The quantile's error is below 1 % of a standard deviation there, far below what the market can show.
    """
    u = torch.rand(rate.shape, dtype=rate.dtype, device=rate.device, generator=generator)
    small = rate.clamp(min=_TINY, max=_SPLIT)
    k, log_factorial = _terms(rate.dtype, rate.device)
    outward = (-1,) + (1,) * rate.dim()
    upto = torch.exp(k.view(outward) * small.log() - small - log_factorial.view(outward)).cumsum(0)
    # float sums stop short of 1: divided by the last one, they reach it
    count = (u >= upto / upto[-1]).sum(0, dtype=rate.dtype)
    tiny = torch.finfo(rate.dtype).eps
    z = math.sqrt(2.0) * torch.erfinv((2.0 * u - 1.0).clamp(-1.0 + tiny, 1.0 - tiny))
    root = rate.clamp(min=_SPLIT).sqrt()
    quantile = rate + root * z + (z * z - 1.0) / 6.0 + (z - z**3) / (72.0 * root)
    large = torch.floor(quantile + 0.5).clamp(min=0.0)
    return torch.where(rate > _SPLIT, large, count)


@cache
def _terms(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """0, 1, ... and the logarithms of their factorials."""
    k = torch.arange(_TERMS, dtype=dtype, device=device)
    return k, k.clamp(min=1.0).log().cumsum(0)
