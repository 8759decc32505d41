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


@pytest.mark.slow
def test_measured_fills_predict_those_of_other_trajectories() -> None:
    """A exp(-k delta) within a sixth of the fills in the episodes of a maker, on numbers that were not measured on."""
    config = flow()
    k, arrival = fill_curve(config)
    assert fill_curve(flow(nt=7, position_limit=3, maker_fee=0.1)) == (k, arrival)  # the maker's rules do not matter
    mid = playing("glft", config)
    for ticks in (0.5, 1.5):
        batch = rollout(mid, fixed(1, ticks * 0.01, 1, ticks * 0.01), 99, 0, count=100, threads=1)
        free = np.abs(batch.inventory) < config.market.position_limit  # type: ignore[attr-defined]
        hits = ((batch.bought > 0).sum() + (batch.sold > 0).sum()) / 2 / free.sum()
        assert -np.log1p(-hits) / 0.2 == pytest.approx(arrival * np.exp(-k * ticks * 0.01), rel=0.15)
    assert fill_curve(flow(market_rates=(2.0,)))[1] > 1.3 * arrival


@pytest.mark.slow
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
