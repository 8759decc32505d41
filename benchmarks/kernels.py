"""Kernels that one step of the tensor engine starts, counted by torch's profiler on the CPU.

python benchmarks/kernels.py

An accelerator waits for the host to start each of them, so that their number is what a step of a small batch costs. The
CPU plays what MPS would: Poisson counts by inversion, and no look at the data.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from mmrl.kernels import tensor_devices
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.learn.policy import make_policy
from mmrl.markets.contract import spec_of
from mmrl.rollout.tensor import TensorEngine
from mmrl.settings.build import build
from mmrl.settings.model import Config

NO_KERNEL = """
empty empty_like empty_strided new_empty resize_ as_strided view view_as reshape _reshape_alias _unsafe_view select
slice narrow expand expand_as t transpose permute unsqueeze squeeze detach detach_ alias split split_with_sizes
chunk unbind lift_fresh result_type to contiguous item is_nonzero _local_scalar_dense resolve_conj resolve_neg
"""
"""Operations that give memory another shape or take some."""
MARKETS: dict[str, dict[str, Any]] = {
    "avellaneda-stoikov": {"name": "avellaneda-stoikov"},
    "book": {"name": "book"},
    "book, market orders walk": {"name": "book", "market_order": "walk"},
}


def kernels_per_step(config: Config, count: int = 50) -> int:
    """Kernels of the third step of `count` trajectories with the learned policy."""
    normaliser = RunningNormaliser(len(spec_of(config).columns))
    run = TensorEngine(config, "cpu").start(make_policy(config), normaliser, seed=1, epoch=1, count=count)
    if hasattr(run.market, "may_branch"):
        run.market.may_branch = False
    with torch.no_grad():
        run.step(0)
        run.step(1)
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            run.step(2)
    return sum(not e.cpu_children and _starts_one(e.name) for e in profiled.events())


def _starts_one(name: str) -> bool:
    return name.startswith("aten::") and name.removeprefix("aten::") not in NO_KERNEL.split()


def main() -> None:
    """Print the count of each market."""
    tensor_devices.MPS += ("cpu",)
    for name, market in MARKETS.items():
        print(f"{name}: {kernels_per_step(build({'market': market}))} kernels a step")


if __name__ == "__main__":
    main()
