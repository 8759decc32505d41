"""The best maker of two simple families, found by direct search: a yardstick where no optimum is known.

`best-fixed`: the same sizes and distances at every step, those of the bid and the ask on their own.
`best-linear`: each of them a + b q + c (T - t) / T, linear in inventory and time.

A maker is worth its exact value where the market can be solved, else its mean total reward, the objective of the run,
over trajectories of the `search` stream that no training, grade or evaluation draws. The search is a grid of quotes
that are the same on both sides, then CMA-ES from the best of them; the linear family starts from the best fixed maker
or from the best of that grid with a lean against the inventory, whichever is worth more.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mmrl.agents.evolution import maximise
from mmrl.markets.contract import Spec, market_of, spec_of
from mmrl.markets.objective import objective_of
from mmrl.plots.output import say
from mmrl.rollout.buffers import Buffers
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import Quoter, linear
from mmrl.rollout.streams import generator, stream_seed
from mmrl.settings.model import Config

Float64 = npt.NDArray[np.float64]
Score = Callable[[Quoter, int, int], float]
"""What a quoter is worth: over how many trajectories, of which generation."""

GRID = np.linspace(-1.0, 2.0, 7)
"""Of the first quotes, in units of an axis: 0 is its centre, 1 a scale further."""
LEANS = (0.01, 0.1)
"""Of the first linear quotes, in units of an axis for each share held: nearer and larger on the side that sells it."""
FEW, MANY = 20, 200
"""Trajectories that rank the makers of a generation, and that a result is accepted by."""
FIXED_GENERATIONS, LINEAR_GENERATIONS = 30, 60
TOLD = 10
"""Generations from one line of progress to the next."""


def score_of(config: Config) -> Score:
    """What makers are compared by in the market of a config."""
    spec, solver = spec_of(config), market_of(config).optimum
    if spec.exact_optimum and solver is not None:
        from mmrl.agents import distances

        market, objective = config.market, objective_of(config)

        def exact_value(quoter: Quoter, count: int, g: int) -> float:
            return float(solver.value_of_quotes(market, objective, distances(quoter, config)))

        return exact_value
    seed, buffers = stream_seed(config.run.seed, "search"), Buffers(flows=False)

    def mean_reward(quoter: Quoter, count: int, g: int) -> float:
        batch = rollout(config, quoter, seed, g, count=count, buffers=buffers)
        return float(batch.segment_sum(batch.reward).mean())

    return mean_reward


def make_fixed(config: Config, argument: str = "") -> Quoter:
    """The best fixed maker of a market."""
    spec, score = spec_of(config), score_of(config)
    start = max(_grid(spec), key=lambda values: score(_quoter(spec, values), FEW, 0))
    spread = np.array([(GRID[1] - GRID[0]) * axis.scale for axis in spec.axes])
    return _searched("best-fixed", config, score, start[:, None], spread[:, None], FIXED_GENERATIONS)


def make_linear(config: Config, argument: str = "") -> Quoter:
    """The best linear maker of a market."""
    spec, score = spec_of(config), score_of(config)
    fixed = make_fixed(config)
    batch = rollout(config, fixed, stream_seed(config.run.seed, "search"), 0, count=FEW)
    held = max(float(np.sqrt(np.mean(np.square(batch.inventory, dtype=np.float64)))), 1.0)
    step = np.array([(GRID[1] - GRID[0]) * axis.scale for axis in spec.axes])
    spread = step[:, None] * np.array([1.0, 1.0 / held, 1.0])
    starts = [np.array(fixed.linear), *(_leaning(spec, values, lean) for lean in LEANS for values in _grid(spec))]
    start = max(starts, key=lambda rules: score(_quoter(spec, rules), FEW, 0))
    return _searched("best-linear", config, score, start, spread, LINEAR_GENERATIONS)


def _grid(spec: Spec) -> list[Float64]:
    """Quotes [A] that are the same on both sides."""
    kinds = sorted({axis.kind for axis in spec.axes})
    found = []
    for place in itertools.product(GRID.tolist(), repeat=len(kinds)):
        units = dict(zip(kinds, place, strict=True))
        found.append(np.array([max(axis.centre + axis.scale * units[axis.kind], axis.low) for axis in spec.axes]))
    return found


def _leaning(spec: Spec, values: Float64, lean: float) -> Float64:
    """Rules [A, 3] that quote `values` [A] where nothing is held."""
    signs = [1.0 if (axis.kind == "distance") == (axis.side == "bid") else -1.0 for axis in spec.axes]
    slopes = np.array([lean * axis.scale * sign for axis, sign in zip(spec.axes, signs, strict=True)])
    return np.stack([values, slopes, np.zeros(len(values))], axis=1)


def _quoter(spec: Spec, rules: Float64) -> Quoter:
    """Rules [A] or [A, 1] of a fixed maker, or [A, 3]; what stays fixed is given as the market takes it."""
    rules = rules.reshape(len(spec.axes), -1)
    full = np.zeros((len(spec.axes), 3))
    full[:, : rules.shape[1]] = rules
    for axis, rule in zip(spec.axes, full, strict=True):
        if not rule[1:].any():
            rule[0] = axis.as_taken(rule[:1])[0]
    return linear((float(a), float(b), float(c)) for a, b, c in full)


def _searched(name: str, config: Config, score: Score, start: Float64, spread: Float64, generations: int) -> Quoter:
    """What the search finds from `start` [A, k], or the start itself where it is no worse."""
    spec = spec_of(config)

    def value(rules: Float64, g: int) -> float:
        return score(_quoter(spec, rules.reshape(start.shape)), FEW, 1 + g)

    def tell(g: int, best: float) -> None:
        if g % TOLD == 0:
            say(f"{name}: generation {g + 1} of {generations}, best {best:.6g}", sys.stderr)

    rng = generator(config.run.seed, "search")
    end = maximise(value, start.ravel(), spread.ravel(), generations, rng, tell)
    candidates = [_quoter(spec, rules) for rules in (start, end.reshape(start.shape))]
    worth = [score(quoter, MANY, 1 + generations) for quoter in candidates]
    return candidates[int(worth[1] > worth[0])]
