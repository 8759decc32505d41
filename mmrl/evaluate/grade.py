"""The grade of a policy while it trains, by the run's own objective.

Exactly, as the value of its quotes (means or likeliest choices), where the market can be solved; else by simulation on
trajectories that no training and no evaluation draws: the same ones for every epoch, so that differences between epochs
are paired. What is trained samples its actions, and its means are another policy, that may be worth more or less: a
policy is graded, and later played, by whichever is worth more.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mmrl.markets.contract import RangeTooNarrow, market_of, spec_of
from mmrl.rollout.quoters import learned
from mmrl.rollout.weights import PolicyWeights
from mmrl.runs.memory import graded, graded_together, require_trajectory
from mmrl.settings.model import Config
from mmrl.statistics.attempts import share_of_optimum

if TYPE_CHECKING:
    from mmrl.rollout.buffers import Buffers

PLAYED_TRAJECTORIES = 200
"""That decide how an evaluation plays a policy."""
MOST_DECISIONS = 2_000_000
"""Of a market solved by all that the maker observes: with more, an exact grade of every epoch would take seconds."""
WAYS = MEAN, SAMPLED = "mean", "sampled"
"""Of playing a policy."""
FALL = 5.0
"""Standard errors below the best grade that are told; of an exact grade, `EXACT_FALL` of the optimum."""
EXACT_FALL = 0.005


@dataclass(frozen=True)
class Grade:
    """What a policy is worth by the run's objective."""

    value: float
    optimality: float | None = None
    """Share of the exact optimum, where it is known; of CARA utility where no solver knows the run's own."""
    scores: np.ndarray | None = None
    """Of each simulated trajectory [N]; None for an exact grade."""

    def record(self) -> dict[str, float]:
        """The columns of an epoch's record."""
        found = {"grade": self.value}
        if self.optimality is not None:
            found["optimality"] = self.optimality
        return found

    def fallen_from(self, best: Grade) -> bool:
        """Whether it is worse than `best` by more than chance."""
        if self.scores is None or best.scores is None:
            scale = abs(best.value / best.optimality) if best.optimality else abs(best.value)
            return best.value - self.value > EXACT_FALL * scale
        if self.scores.shape != best.scores.shape:  # of a version that simulated another number
            return False
        loss = best.scores - self.scores
        return bool(loss.mean() > FALL * loss.std(ddof=1) / math.sqrt(loss.size))


class Grader:
    """Grades the policies of one run; the optimum is computed once, at the first grade."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.optimum: Any = None
        """The solution of the market, from the first grade on; None where it has none."""
        self._exact = spec_of(config).exact_optimum
        self._buffers: list[Buffers] | None = None
        """Memory of small simulated grades, kept from one to the next."""
        self._best: float | None = None
        """The optimum of a market that is solved by all that the maker observes."""

    def grade(self, policy: Any, normaliser: Any) -> Grade:
        """The grade of a policy."""
        from mmrl.markets.objective import objective_is_own

        weights = policy.weights(normaliser)
        exact = self._exactly(weights)
        if exact is not None and objective_is_own(self.config):
            return exact
        simulated = self._simulated(weights)
        return simulated if exact is None else replace(simulated, optimality=exact.optimality)

    def _exactly(self, weights: Any) -> Grade | None:
        if spec_of(self.config).exact_states:
            return self._exactly_by_states(weights)
        if not self._exact:
            return None
        from mmrl.agents.learned import quote_table
        from mmrl.markets.objective import objective_of

        solver = market_of(self.config).optimum
        assert solver is not None
        market, objective = self.config.market, objective_of(self.config)
        if self.optimum is None:
            try:
                self.optimum = solver.optimum(market, objective)
            except RangeTooNarrow:
                self._exact = False
                return None
        most = max(self.optimum.max_inventory, solver.MAX_INVENTORY)
        value = float(solver.value_of_quotes(market, objective, quote_table(self.config, weights, most), most))
        best = float(self.optimum.value)
        return Grade(value, share_of_optimum(value, best))

    def _exactly_by_states(self, weights: PolicyWeights) -> Grade | None:
        """By its likeliest choices, in a market that is solved by all that the maker observes."""
        from mmrl.agents.exact import value_of
        from mmrl.markets.objective import objective_of

        solver, market, objective = market_of(self.config).optimum, self.config.market, objective_of(self.config)
        assert solver is not None
        if solver.decisions(market) > MOST_DECISIONS:
            return None
        value = value_of(self.config, objective, learned(weights, deterministic=True))
        if value is None:
            return None
        if self._best is None:
            self._best = float(solver.optimum(market, objective).value)
        return Grade(value, value / self._best if self._best > 0 else None)

    def _simulated(self, weights: Any) -> Grade:
        from mmrl.rollout.buffers import Buffers

        if self._buffers is None and graded_together(self.config):
            self._buffers = [Buffers(flows=False) for _ in WAYS]
        scores = scores_of(self.config, weights, graded(self.config.training.nb), self._buffers)
        best = max(scores.values(), key=lambda of: float(of.mean()))
        return Grade(float(best.mean()), scores=best)


def scores_of(
    config: Config, weights: PolicyWeights, trajectories: int, buffers: Sequence[Buffers] | None = None
) -> dict[str, np.ndarray]:
    """Total rewards [N] of a policy by its means or likeliest choices, `MEAN`, and by sampled actions, `SAMPLED`; both
    at once, where each has buffers that its rows go into."""
    from mmrl.rollout.buffers import Buffers
    from mmrl.rollout.compiled import rollouts
    from mmrl.rollout.streams import stream_seed

    seed = stream_seed(config.run.seed, "grade")
    found: dict[str, np.ndarray] = {}
    ways = {name: learned(weights, deterministic=name == MEAN) for name in WAYS}
    one_way = None if buffers else [Buffers(flows=False)]
    for names in [WAYS] if buffers else [(name,) for name in WAYS]:
        quoters = [ways[name] for name in names]
        batches = rollouts(config, quoters, seed, 0, count=trajectories, buffers=buffers or one_way)
        found |= {name: batch.segment_sum(batch.reward) for name, batch in zip(names, batches, strict=True)}
    return found


def worth_more(config: Config, weights: PolicyWeights) -> str:
    """How a policy is played where nobody asks for one of them: `MEAN` or `SAMPLED`."""
    if spec_of(config).exact_optimum or spec_of(config).exact_states:
        return MEAN
    require_trajectory(config, PLAYED_TRAJECTORIES)
    scores = scores_of(config, weights, PLAYED_TRAJECTORIES)
    return max(scores, key=lambda name: float(scores[name].mean()))
