"""Fills measured by simulation are those of the market, and closed forms use them whatever distances count from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmrl.agents import FROM_MID, agent, agents_of, playing
from mmrl.agents.fills import fill_curve
from mmrl.agents.inputs import inputs
from mmrl.evaluate.compare import named_agent
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import fixed
from mmrl.settings.build import build
from mmrl.settings.model import Config


def flow(**market: Any) -> Config:
    return build({"market": {"name": "order-flow", "nt": 400, **market}, "policy": {"kind": "categorical"}})


def test_it_is_stated_where_the_market_states_it() -> None:
    game = build({"market": {"name": "avellaneda-stoikov", "k": 1.7}})
    assert fill_curve(game)[0] == 1.7


@pytest.mark.nightly
@pytest.mark.slow
def test_measured_fills_are_those_of_other_trajectories() -> None:
    """k and A beside the line through the rates of another simulation, which counts by hand; and as the market is."""
    config = flow()
    k, arrival = fill_curve(config)
    assert fill_curve(flow(nt=7, position_limit=3, maker_fee=0.1)) == (k, arrival)  # the maker's rules do not matter
    free = flow(nt=500, distance_from="mid", position_limit=10**6)
    deltas, logs, fills = 0.01 * np.array([0.5, 1.0, 1.5, 2.0, 2.5, 3.0]), [], []
    for delta in deltas:
        batch = rollout(free, fixed(1, delta, 1, delta), 99, 0, count=100, threads=1)
        steps = 2 * len(batch.bought)
        fills.append(sum(batch.bought > 0) + sum(batch.sold > 0))
        logs.append(np.log(-np.log(1 - fills[-1] / steps) / 0.2))  # a decision every 0.2 minutes
    root = np.sqrt(fills)
    slope, level = np.linalg.lstsq(root[:, None] * np.stack([deltas, np.ones(6)], 1), root * logs, rcond=None)[0]
    # over seeds k scatters by 2 % and A by 2.6 % each time: four standard deviations of the difference
    assert k == pytest.approx(-slope, rel=0.11)
    assert arrival == pytest.approx(np.exp(level), rel=0.15)
    assert fill_curve(flow(market_rates=(2.0,)))[1] > 1.3 * arrival


@pytest.mark.slow
@pytest.mark.nightly
def test_closed_forms_quote_from_the_mid_beside_makers_that_count_from_the_best() -> None:
    best, mid = flow(delta_grid=(-1.0, 0.0, 2.0)), flow(distance_from="mid")
    assert set(FROM_MID) <= set(agents_of(best)) and set(FROM_MID) <= set(agents_of(mid))
    for name in ("glft", "symmetric"):
        entrant = named_agent(name, best)
        assert entrant.config.market.distance_from == "mid"  # type: ignore[attr-defined]
        found, expected = (rollout(c, entrant.quoter, 5, 0, count=3, threads=1) for c in (entrant.config, mid))
        np.testing.assert_array_equal(found.value, expected.value)
    assert named_agent("naive", best).config is best
    assert inputs(playing("glft", best)).k == fill_curve(best)[0] == named_agent("glft", best).fill_curve[0]  # type: ignore[index]


@pytest.mark.slow
def test_agents_use_one_order_a_side() -> None:
    """With three orders a side the others are not sent, so that the trades are the same."""
    one, three = (named_agent("glft", flow(quotes=n)) for n in (1, 3))
    found = [rollout(entrant.config, entrant.quoter, 5, 0, count=3, threads=1) for entrant in (one, three)]
    np.testing.assert_array_equal(found[0].value, found[1].value)
    assert agent("fixed:0.01", flow(quotes=2)).linear == ((1, 0, 0), (0.01, 0, 0)) * 2 + ((0, 0, 0), (0.01, 0, 0)) * 2
