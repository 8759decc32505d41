"""What devices of torch lack: MPS has no float64 and draws no Poisson counts."""

from __future__ import annotations

import torch

MPS: tuple[str, ...] = ("mps",)
"""Types of device that are treated so; tests add others, on which they can look at each step."""


def is_mps(device: torch.device) -> bool:
    """Whether a device lacks what MPS lacks."""
    return device.type in MPS


def real_type(device: torch.device) -> torch.dtype:
    """The type of prices and money on a device: float64 where there is one."""
    return torch.float32 if is_mps(device) else torch.float64
