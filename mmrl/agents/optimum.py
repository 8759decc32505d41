"""The exact optimum of the discrete Avellaneda-Stoikov game as an agent, by backward induction (see its module)."""

import numpy as np

from mmrl.agents.inputs import edged
from mmrl.rollout.quoters import Quoter, table
from mmrl.settings.model import Config, ConfigError


def make(config: Config, argument: str = "") -> Quoter:
    """The agent for the game; no other market can be solved."""
    from mmrl.evaluate.objective import objective_of
    from mmrl.markets.avellaneda_stoikov.optimum import optimum

    if config.market.name != "avellaneda-stoikov":
        raise ConfigError(
            f"agent 'optimum' needs a market that can be solved, '{config.market.name}' cannot: "
            "use --market avellaneda-stoikov"
        )
    return table(edged(np.array(optimum(config.market, objective_of(config)).delta)))
