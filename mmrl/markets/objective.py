"""What a run is judged by where its market can be solved: CARA utility, or the running inventory penalty."""

from __future__ import annotations

from mmrl.markets.contract import Objective, cara
from mmrl.settings.model import Config


def objective_of(config: Config) -> Objective:
    """The Cartea-Jaimungal objective when the reward's utility is `inventory-penalty`, else CARA with market.gamma."""
    if config.reward.utility == "inventory-penalty":
        return Objective(phi=config.reward.inventory_penalty, alpha=config.reward.final_penalty)
    return cara(config.market.gamma)
