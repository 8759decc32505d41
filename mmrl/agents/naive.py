"""The naive agent of the original research code: it mirrors what the book shows.

n ~ Poisson(3/4 q), delta ~ N(delta, delta / 4) on each side, with q and delta those that others show at the best quote.
"""

from mmrl.rollout.quoters import Quoter, naive
from mmrl.settings.model import Config, ConfigError


def make(config: Config, argument: str = "") -> Quoter:
    """The agent for the book; a market without visible sizes has nothing to mirror."""
    if config.market.name != "book":
        raise ConfigError(
            f"agent 'naive' mirrors the sizes that a book shows, '{config.market.name}' shows none: "
            "use --market book, or symmetric"
        )
    return naive()
