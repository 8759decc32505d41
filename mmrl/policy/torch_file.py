"""A policy as a TorchScript file: raw observations in, quotes in market units out; `torch.jit.load` reads it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from mmrl.policy.frozen import CLIP, Frozen


class _Quotes(nn.Module):
    """float32 observations [N, obs] to float64 quotes [N, A]."""

    mean: Tensor
    std: Tensor
    skip: Tensor
    centre: Tensor
    scale: Tensor
    skew: Tensor
    low: Tensor
    whole: Tensor

    def __init__(self, frozen: Frozen) -> None:
        super().__init__()
        self.frozen = frozen
        gaussian = frozen.kind == "gaussian"
        skew = [axis.skew if gaussian else axis.grid_skew for axis in frozen.axes]
        numbers: dict[str, Any] = {
            "mean": frozen.mean,
            "std": frozen.std,
            "skip": frozen.skip,
            "centre": [axis.centre for axis in frozen.axes],
            "scale": [axis.scale for axis in frozen.axes],
            "skew": skew,
            "low": [axis.low for axis in frozen.axes],
            "whole": [axis.whole for axis in frozen.axes],
        }
        numbers |= {f"grid_{k}": axis.grid for k, axis in enumerate(frozen.axes)}
        for k, (weight, bias) in enumerate(frozen.layers):
            numbers |= {f"weight_{k}": weight, f"bias_{k}": bias}
        for name, values in numbers.items():
            self.register_buffer(name, torch.as_tensor(np.array(values)))

    def forward(self, raw: Tensor) -> Tensor:
        """The quotes."""
        f = self.frozen
        seen = ((raw - self.mean) / self.std).clamp(-CLIP, CLIP)
        hidden = seen
        for k in range(len(f.layers)):
            hidden = hidden @ getattr(self, f"weight_{k}") + getattr(self, f"bias_{k}")
            hidden = hidden if k == len(f.layers) - 1 else torch.tanh(hidden)
        outputs = hidden + seen @ self.skip
        if f.kind == "gaussian":
            quotes = self.centre + self.scale * outputs.double()
        else:
            parts = torch.split(outputs, [len(axis.grid) for axis in f.axes], dim=-1)
            grids = [getattr(self, f"grid_{k}") for k in range(len(f.axes))]
            quotes = torch.stack([grid[part.argmax(-1)] for grid, part in zip(grids, parts, strict=True)], dim=-1)
        if bool(self.skew.any()):
            held, left = (raw[..., f.column_of(role) or 0].double() for role in ("inventory", "time left"))
            held = held * torch.tanh(left / f.fading) if f.fading else held
            quotes = quotes + self.skew * held[..., None]
        quotes = torch.where(self.whole, quotes.round(), quotes)
        return torch.maximum(quotes, self.low)


def write(frozen: Frozen, path: Path) -> None:
    """Write the file."""
    example = torch.as_tensor(np.stack([frozen.mean, frozen.mean]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch calls TorchScript old, and traces a decision that is a constant
        torch.jit.trace(_Quotes(frozen), example, check_trace=False).save(str(path))


def read(path: Path) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]:
    """The file as a function of observations."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        script = torch.jit.load(str(path))
    return lambda raw: np.asarray(script(torch.as_tensor(raw)).numpy())
