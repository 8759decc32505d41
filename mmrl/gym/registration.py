"""The names of the markets in gymnasium: `mmrl/Book-v0` and so on, one for each market that is installed."""

from __future__ import annotations

from mmrl.settings.registry import markets

ENVS = "mmrl.gym.envs"


def identifier(market: str) -> str:
    """The name of a market in gymnasium: order-flow is mmrl/OrderFlow-v0."""
    return f"mmrl/{''.join(word.capitalize() for word in market.replace('_', '-').split('-'))}-v0"


def register() -> None:
    """Make all markets known to gymnasium; those that it knows stay. Imports neither numba nor torch."""
    from gymnasium.envs import registration

    for market in markets():
        if identifier(market) not in registration.registry:
            registration.register(
                identifier(market),
                entry_point=f"{ENVS}:MarketEnv",
                vector_entry_point=f"{ENVS}:MarketVectorEnv",
                kwargs={"market": market},
            )
