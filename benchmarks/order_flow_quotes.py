"""What a maker does in market order-flow: what it quotes and sends, by inventory, imbalance and flow.

    python -m benchmarks.order_flow_quotes RUN [--results results] [--trajectories 2000] [--figure FILE.svg]

It plays the run's best epoch, as evaluated by default, on the trajectories of `mmrl evaluate`.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from mmrl.agents.learned import in_market_units
from mmrl.evaluate.compare import run_agent
from mmrl.markets.contract import Spec, spec_of
from mmrl.markets.order_flow.settings import Settings
from mmrl.plots.colours import THINGS
from mmrl.plots.lines import Line, panels
from mmrl.plots.svg import terminal_svg
from mmrl.rollout.compiled import rollout
from mmrl.rollout.streams import stream_seed
from mmrl.runs.config_file import read_config
from mmrl.runs.listing import find_run

FLOW = (-np.inf, -2.0, -0.7, 0.7, 2.0, np.inf)
IMBALANCE = (-1.0, -0.6, -0.2, 0.2, 0.6, 1.0)
SIDES = ("bid", "ask")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--results", default="results")
    parser.add_argument("--trajectories", type=int, default=2000)
    parser.add_argument("--figure", type=Path)
    options = parser.parse_args()
    folder = Path(find_run(options.run, options.results).folder)
    config = read_config(folder).config
    if not isinstance(config.market, Settings):
        parser.error(f"{options.run}: a run of market order-flow is needed")
    spec, tick = spec_of(config), config.market.tick
    maker = run_agent(folder, config, config, False)
    batch = rollout(config, maker.quoter, stream_seed(0, "evaluation"), 0, count=options.trajectories)
    taken = in_market_units(config, batch.action, batch.inventory)
    weights = maker.quoter.weights
    assert weights is not None
    seen = batch.observation * weights.obs_std + weights.obs_mean
    at = next(k for k, column in enumerate(spec.columns) if column.name.startswith("bought less sold"))
    print(f"{folder.name}, epoch {maker.epoch}: share of decisions with a quote, mean ticks behind the best if quoted,")
    print("share of decisions with a market order")
    print(f"{'':24}{'bid':>8}{'ticks':>8}{'ask':>8}{'ticks':>8}{'buy':>8}{'sell':>8}{'decisions':>12}")
    for q in np.unique(batch.inventory):
        _row(f"inventory {q:+d}", spec, taken[batch.inventory == q], tick)
    for name, column, edges in (("imbalance", 0, IMBALANCE), ("flow", at, FLOW)):
        for low, high in itertools.pairwise(edges):
            within = (seen[:, column] >= low - 1e-6) & (seen[:, column] < high + (1e-6 if high == edges[-1] else -1e-6))
            _row(f"{name} {low:+.1f} to {high:+.1f}", spec, taken[within], tick)
    if options.figure:
        panels = (
            ("inventory, shares", batch.inventory.astype(float), np.arange(-3.5, 4.0)),
            ("imbalance of the best queues", seen[:, 0], np.linspace(-0.9, 0.9, 10)),
            ("bought less sold, recent minutes, shares", seen[:, at], np.linspace(-2.5, 2.5, 11)),
        )
        figure = "\n".join(_panels(name, spec, taken, tick, x, edges) for name, x, edges in panels)
        options.figure.write_text(terminal_svg(figure, 120, f"What {folder.name} quotes"), encoding="utf-8")


def _quotes(spec: Spec, taken: np.ndarray, tick: float) -> list[float]:
    """By side how often there is a quote, and how many ticks behind the best on average; then market orders."""
    found = []
    for side in SIDES:
        size, distance = (spec.axis_of(kind, side) for kind in ("size", "distance"))
        quoted = taken[:, size] > 0
        found += [quoted.mean(), taken[quoted, distance].mean() / tick if quoted.any() else np.nan]
    for side in ("ask", "bid"):
        axis = spec.axis_of("market order", side)
        found.append(np.nan if axis is None else (taken[:, axis] > 0).mean())
    return found


def _row(name: str, spec: Spec, taken: np.ndarray, tick: float) -> None:
    if len(taken):
        cells = "".join(f"{'-':>8}" if np.isnan(x) else f"{x:8.2f}" for x in _quotes(spec, taken, tick))
        print(f"{name:24}{cells}{len(taken):12,}")


def _panels(name: str, spec: Spec, taken: np.ndarray, tick: float, x: np.ndarray, edges: np.ndarray) -> str:
    """Two charts side by side over bins of x: how often it quotes, and where."""
    bins = [(x >= low) & (x < high) for low, high in itertools.pairwise(edges)]
    kept = [k for k, within in enumerate(bins) if within.sum() >= 200]
    middle = 0.5 * (edges[1:] + edges[:-1])[kept]
    rows = np.array([_quotes(spec, taken[bins[k]], tick) for k in kept]).T
    drawn = []
    for title, places in (("share of decisions with a quote", (0, 2)), ("ticks behind the best", (1, 3))):
        sides = zip(SIDES, places, strict=True)
        lines = [Line(middle, rows[place], colour=THINGS[side].number, label=side) for side, place in sides]
        drawn.append((title, lines))
    return panels(drawn, 120, 11, True, across=name)


if __name__ == "__main__":
    main()
