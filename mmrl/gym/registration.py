"""The names of the markets in gymnasium: `mmrl/Book-v0` and so on, one for each market that is installed."""

from __future__ import annotations

from mmrl.settings.market_about import gymnasium_name
from mmrl.settings.registry import markets

ENVS = "mmrl.gym.envs"


def register() -> None:
    """Make all markets known to gymnasium; those that it knows stay. Imports neither numba nor torch."""
    from gymnasium.envs import registration

    for market in markets():
        if gymnasium_name(market) not in registration.registry:
            registration.register(
                gymnasium_name(market),
                entry_point=f"{ENVS}:MarketEnv",
                vector_entry_point=f"{ENVS}:MarketVectorEnv",
                kwargs={"market_name": market},
            )
