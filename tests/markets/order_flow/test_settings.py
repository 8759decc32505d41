"""What cannot be is refused in one line that names the setting; what the spec estimates is about right."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmrl.markets.contract import market_named
from mmrl.rollout.compiled import rollout
from mmrl.rollout.devices import resolve as resolve_engine
from mmrl.rollout.quoters import fixed
from mmrl.settings.errors import ConfigError
from mmrl.settings.sources import resolve
from tests.markets.order_flow.stage import settings_of

TWO = {"queue_sizes": 1, "limit_rates": (1.0, 1.0), "cancel_rates": (0.0, 1.0), "market_rates": (0.0, 1.0)}
ALL = {"hawkes_kinds": "all", "hawkes_decays": (1.0,)}
REDRAW = {"depletion": "redraw", "levels": 1, "limit_rates": (1.0,), "cancel_rates": (1.0,)}
CATEGORICAL = {"policy.kind": "categorical"}
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"limit_rates": (1.0, -1.0), "cancel_rates": (1.0, 1.0)}, "limit_rates has a rate -1"),
    ({"market_rates": (1e300,)}, "market.market_rates: about 2e+301 orders would come in market.warm_up = 10, at most"),
    (
        {"market_rates": (1e300,), "warm_up": 0.0},
        "orders would come in market.decision_interval = 0.2, at most 10,000,000",
    ),
    ({"market_law": "spread-queue", "market_intensity": (900.0, 0.0, 0.0, 0.0, 0.0, 0.0)}, "market.market_intensity: "),
    ({"limit_rates": (1.0, 0.0), "cancel_rates": (1.0, 1.0)}, "must be finite numbers > 0"),
    ({"market_rates": (float("inf"),)}, "market_rates"),
    ({"limit_rates": (1.0,)}, "limit_rates has 1 numbers, market.cancel_rates 5"),
    ({**TWO, "market_rates": (1.0,)}, "market_rates has 1 numbers: with market.queue_sizes = 1 it needs 2"),
    ({**TWO, "limit_rates": (1.0,) * 3, "cancel_rates": (1.0,) * 3}, "rows of 2"),
    ({**TWO, "cancel_rates": (1.0, 0.0)}, "queues would grow without bound"),
    ({"cancel_rates": (0.71, 0.81, 0.68, 0.56, 1e-6)}, "orders would rest on a side"),
    ({"levels": 3}, "limit_rates reaches distance 5, market.levels = 3 does not"),
    ({"limit_size": 1.5}, "market.limit_size = 1.5"),
    ({"size_law": "table", "limit_size_table": (0.0, 0.0)}, "limit_size_table"),
    ({"hawkes_decays": (1.0,)}, "hawkes_same has 0 numbers, market.hawkes_decays 1"),
    ({"hawkes_decays": (1.0,), "hawkes_same": (0.6,), "hawkes_cross": (0.4,)}, "branching ratio of 1: it must be < 1"),
    ({"hawkes_decays": (0.0,), "hawkes_same": (0.1,), "hawkes_cross": (0.1,)}, "hawkes_decays"),
    ({"depletion": "redraw"}, "market.levels = 20 is not allowed: with market.depletion = 'redraw'"),
    ({**REDRAW, "redraw_weights": (0.0, 0.0)}, "redraw_weights must be finite numbers >= 0, one of them > 0"),
    ({**REDRAW, "actions": "limit+market"}, "market.actions = 'limit+market' is not allowed"),
    ({**REDRAW, "distance_from": "mid"}, "the maker can only join the best price"),
    ({**REDRAW, "delta_grid": (1.0,), **CATEGORICAL}, "the maker can only join the best price"),
    ({"redraw_weights": (1.0,)}, "no queue is drawn anew"),
    ({"decision_interval": 0.0}, "market.decision_interval = 0.0 is not allowed"),
    ({"latency_law": "constant", "latency": 5.0}, "market.latency = 5 is too long"),
    ({"latency": 0.1}, "there is no latency"),
    ({"informed": 0.1}, "there is no efficient price"),
    ({"horizons": (0.0,)}, "market.horizons"),
    ({"midprice": 1.0}, "market.midprice = 1 is too low"),
    ({"position_limit": 1, "size_grid": (0, 2), **CATEGORICAL}, "no quote could be sent"),
    ({"quotes": 6}, "market.quotes = 6 is not allowed"),
    ({"quote_step": 2.0}, "the maker has one order a side"),
    ({**ALL, "hawkes_matrix": (0.1,) * 12}, "hawkes_matrix has 12 numbers, market.hawkes_decays 1: give 18"),
    ({**ALL, "hawkes_matrix": (-0.1,) * 18}, "market.hawkes_matrix must be finite numbers >= 0"),
    ({**ALL, "hawkes_matrix": (0.17,) * 18}, "hawkes_matrix makes a branching ratio of 1.02: it must be < 1"),
    ({**ALL, "hawkes_matrix": (0.5, 0.6, *(0.0,) * 16)}, "branching ratio of 1.1 of orders with the cancellations"),
    ({**ALL, "hawkes_matrix": (0.99995, *(0.0,) * 17)}, "excites so many limit orders that about"),
    (
        {"hawkes_kinds": "all", "hawkes_same": (0.1,)},
        "hawkes_same has no effect with market.hawkes_kinds = 'all': use hawkes_matrix",
    ),
    ({"hawkes_matrix": (0.1,) * 18}, "hawkes_matrix has no effect with market.hawkes_kinds = 'market'"),
    ({"actions": "limit+market", "take_grid": (0,), **CATEGORICAL}, "take_grid"),
]


@pytest.mark.parametrize(("settings", "line"), REFUSED)
def test_refused(settings: dict[str, Any], line: str) -> None:
    values = {key if "." in key else f"market.{key}": value for key, value in settings.items()}
    with pytest.raises(ConfigError) as refusal:
        resolve({"market.name": "order-flow", **values})
    assert line in str(refusal.value) and "\n" not in str(refusal.value)


def test_the_tensor_engine_is_refused_with_the_reason() -> None:
    config = resolve({"market.name": "order-flow", "run.engine": "tensor"})[0]
    with pytest.raises(ValueError, match="order-flow is not in the tensor engine: use --engine compiled"):
        resolve_engine(config)


@pytest.mark.parametrize(("changed", "within"), [({}, 0.05), ({"market.market_rates": (2.0,)}, 0.1)])
def test_volatility_and_pace_are_about_as_the_spec_says(changed: dict[str, Any], within: float) -> None:
    values = {"market.name": "order-flow", "market.nt": 200, "market.decision_interval": 10.0, "training.nb": 60}
    config = resolve({**values, **changed})[0]
    batch = rollout(config, fixed(0, 0, 0, 0), 1, 1, threads=1)
    moves = batch.after("mid") - batch.mid
    volatility = market_named("order-flow").spec(config.market).volatility
    assert np.std(moves) / 10**0.5 == pytest.approx(volatility, rel=within)
    by_events = resolve({"market.name": "order-flow", "market.decide_by": "events", "market.nt": 200, **changed})[0]
    batch = rollout(by_events, fixed(0, 0, 0, 0), 1, 1, threads=1)
    assert batch.final_time.mean() == pytest.approx(
        market_named("order-flow").spec(by_events.market).end_time, rel=0.05
    )


def test_the_mean_size_of_orders_is_their_unit() -> None:
    assert settings_of(size_law="table", limit_size_table=(1, 0, 3)).unit == 2.5
    assert settings_of(size_law="geometric", limit_size=4.0).unit == 4.0
