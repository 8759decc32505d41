"""The exact optimum of a market that can be solved as an agent."""

import numpy as np

from mmrl.agents.inputs import edged, quoter
from mmrl.markets.contract import market_of, spec_of
from mmrl.markets.objective import objective_of
from mmrl.rollout.quoters import Quoter, observed
from mmrl.settings.model import Config


def make(config: Config, argument: str = "") -> Quoter:
    """The agent for a market with a solver."""
    solver = market_of(config).optimum
    assert solver is not None
    if spec_of(config).exact_states:
        market = config.market
        return observed(*solver.table(market, solver.optimum(market, objective_of(config))))
    return quoter(config, edged(np.array(solver.optimum(config.market, objective_of(config)).delta)))
