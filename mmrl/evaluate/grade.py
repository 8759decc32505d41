"""The grade of a policy while it trains: exact value of its deterministic quotes / exact optimum of its market."""

from __future__ import annotations

from typing import Any

from mmrl.settings.model import Config


class Grader:
    """Grades the policies of one run; the optimum is computed once, at the first grade."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.best: Any = None
        """The optimum (`mmrl.markets.avellaneda_stoikov.optimum.Solution`), from the first grade on."""

    @property
    def known(self) -> bool:
        """Whether the run's market has an optimum to be graded by."""
        return self.config.market.name == "avellaneda-stoikov"

    def optimality(self, policy: Any, normaliser: Any) -> float | None:
        """Value of the policy's quotes as a share of the optimum; None where no optimum is known."""
        if not self.known:
            return None
        from mmrl.agents.learned import quote_table
        from mmrl.evaluate.objective import objective_of
        from mmrl.learn.policy import policy_weights
        from mmrl.markets.avellaneda_stoikov.optimum import REACH, TooNarrow, optimum, value_of_quotes

        market, objective = self.config.market, objective_of(self.config)
        if self.best is None:
            try:
                self.best = optimum(market, objective)
            except TooNarrow:
                return None
        reach = max(self.best.reach, REACH)
        table = quote_table(self.config, policy_weights(policy, normaliser), reach)
        return value_of_quotes(market, objective, table, reach) / self.best.value
