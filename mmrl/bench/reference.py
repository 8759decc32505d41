"""The slow reference: a market as people write it in plain Python, and one call of torch for each decision."""

from __future__ import annotations

from collections.abc import Callable

from mmrl.bench.clock import seconds_of
from mmrl.bench.plain_book import PlainBook

EVENTS = 1_000
"""Events of the market in one call that is timed."""


def plain_book(seed: int) -> PlainBook:
    """The background of market order-flow with its default numbers."""
    from mmrl.markets.order_flow.settings import Settings

    m = Settings()
    return PlainBook(
        limit=(*m.limit_rates, *m.far_rates),
        cancel=m.cancel_rates,
        market=m.market_rates[0],
        mid=round(m.midprice / m.tick),
        seed=seed,
    )


def plain(events_a_decision: int) -> Callable[[], float]:
    """Events a second of `PlainBook`, while a policy of torch samples an action every so many events (0: never)."""
    book = plain_book(seed=0)
    decide = _decision() if events_a_decision else None

    def play() -> None:
        for k in range(EVENTS):
            if decide and k % events_a_decision == 0:
                decide()
            book.event()

    play()
    return lambda: EVENTS / seconds_of(play)


def _decision() -> Callable[[], object]:
    """One action of the policy that a training of market order-flow begins with."""
    import torch

    from mmrl.bench.rollout import configured
    from mmrl.learn.policy import make_policy
    from mmrl.markets.contract import spec_of

    torch.set_num_threads(1)
    config = configured("order-flow", {})
    policy, seen = make_policy(config), torch.zeros(1, len(spec_of(config).columns))
    return lambda: policy.sample(seen)
