"""What a run is judged by where its market can be solved: what its reward asks for, as a solver states it."""

from __future__ import annotations

from mmrl.markets.contract import Objective, spec_of
from mmrl.settings.model import Config

SOLVED = ("linear", "mean-variance", "inventory-penalty", "entropic", "cara")
"""Utilities whose optimum is that of an `Objective`."""


def objective_of(config: Config) -> Objective:
    """What the run's utility maximises; CARA utility with market.gamma where that is none of `SOLVED`.

    Mean-variance utility is a penalty phi = gamma sigma^2 / 2 on the inventory squared, by its definition.
    """
    reward = config.reward
    if reward.utility == "inventory-penalty":
        return Objective(phi=reward.inventory_penalty, alpha=reward.final_penalty)
    if reward.utility == "mean-variance":
        return Objective(phi=0.5 * config.aversion * spec_of(config).volatility ** 2, alpha=reward.final_penalty)
    if reward.utility == "linear":
        return Objective(alpha=reward.final_penalty)
    gamma = reward.risk_aversion if reward.utility == "cara" else config.market.gamma
    return Objective(gamma=gamma, alpha=reward.final_penalty if reward.utility in SOLVED else 0.0)


def objective_is_own(config: Config) -> bool:
    """Whether `objective_of` is what the run maximises.

    Entropic utility is CARA utility only where the law of the mid's moves is known, whose risk it prices.
    """
    utility = config.reward.utility
    return utility in SOLVED and (utility != "entropic" or bool(spec_of(config).mid_moves))
