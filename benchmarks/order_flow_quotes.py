"""What a maker does in market order-flow: how often it quotes each side, and where, by inventory, imbalance and flow.

    python benchmarks/order_flow_quotes.py RUN [--results results] [--trajectories 2000]

It samples the actions of the run's best epoch (a categorical policy) on the trajectories of `mmrl evaluate`.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from mmrl.evaluate.compare import run_agent
from mmrl.markets.contract import spec_of
from mmrl.markets.order_flow.settings import Settings
from mmrl.rollout.compiled import rollout
from mmrl.rollout.streams import stream_seed
from mmrl.runs.store import find_run, read_config

FLOW = (-np.inf, -2.0, -0.7, 0.7, 2.0, np.inf)
IMBALANCE = (-1.0, -0.6, -0.2, 0.2, 0.6, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--results", default="results")
    parser.add_argument("--trajectories", type=int, default=2000)
    options = parser.parse_args()
    folder = Path(find_run(options.run, options.results).folder)
    config = read_config(folder).config
    if not isinstance(config.market, Settings) or config.policy.kind != "categorical":
        parser.error(f"{options.run}: a run of market order-flow with a categorical policy is needed")
    maker = run_agent(folder, config, config, True)
    batch = rollout(config, maker.quoter, stream_seed(0, "evaluation"), 0, count=options.trajectories)
    grids = [np.array(axis.grid) for axis in spec_of(config).axes[:4]]
    chosen = np.stack([grid[batch.action[:, k].astype(int)] for k, grid in enumerate(grids)], 1)
    weights = maker.quoter.weights
    assert weights is not None
    seen = batch.observation * weights.obs_std + weights.obs_mean
    at = next(k for k, column in enumerate(spec_of(config).columns) if column.name.startswith("bought less sold"))
    print(f"{folder.name}, epoch {maker.epoch}: share of decisions with a quote, mean ticks behind the best if quoted")
    print(f"{'':24}{'bid':>8}{'ticks':>8}{'ask':>8}{'ticks':>8}{'decisions':>12}")
    for q in np.unique(batch.inventory):
        _row(f"inventory {q:+d}", chosen[batch.inventory == q], config.market.tick)
    for name, column, edges in (("imbalance", 0, IMBALANCE), ("flow", at, FLOW)):
        for low, high in itertools.pairwise(edges):
            within = (seen[:, column] >= low - 1e-6) & (seen[:, column] < high + (1e-6 if high == edges[-1] else -1e-6))
            _row(f"{name} {low:+.1f} to {high:+.1f}", chosen[within], config.market.tick)


def _row(name: str, chosen: np.ndarray, tick: float) -> None:
    cells = ""
    for side in range(2):
        quoted = chosen[:, 2 * side] > 0
        ticks = chosen[quoted, 2 * side + 1].mean() / tick if quoted.any() else np.nan
        cells += f"{quoted.mean():8.2f}{ticks:8.2f}"
    print(f"{name:24}{cells}{len(chosen):12,}")


if __name__ == "__main__":
    main()
