"""The grade of a policy while it trains: exact value of its deterministic quotes / exact optimum of its market."""

from __future__ import annotations

from typing import Any

from mmrl.markets.contract import RangeTooNarrow, market_of, spec_of
from mmrl.settings.model import Config


class Grader:
    """Grades the policies of one run; the optimum is computed once, at the first grade."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.optimum: Any = None
        """The solution of the market, from the first grade on."""

    @property
    def known(self) -> bool:
        """Whether the run's market has an optimum to be graded by."""
        return spec_of(self.config).exact_optimum

    def optimality(self, policy: Any, normaliser: Any) -> float | None:
        """Value of the policy's quotes as a share of the optimum; None where no optimum is known."""
        if not self.known:
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
                return None
        most = max(self.optimum.max_inventory, solver.MAX_INVENTORY)
        table = quote_table(self.config, policy.weights(normaliser), most)
        return float(solver.value_of_quotes(market, objective, table, most) / self.optimum.value)
