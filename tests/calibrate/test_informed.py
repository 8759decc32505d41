"""The price that nobody sees: found again in a market that has one, and left out where it does not help."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mmrl.calibrate.estimate import Estimate, Goodness
from mmrl.calibrate.fits import Wanted, fit
from mmrl.calibrate.informed import Informed, fit_informed
from mmrl.calibrate.simulated import simulated
from mmrl.calibrate.study import study
from mmrl.settings.build import build
from mmrl.settings.declare import ConfigError
from tests.calibrate.tapes import order_flow

MARKET: dict[str, Any] = {
    "name": "order-flow",
    "limit_rates": (60.0, 20.0, 10.0),
    "cancel_rates": (4.0, 1.5, 1.0),
    "market_rates": (15.0,),
}
TRUTH = {"efficient_price": "random-walk", "informed_orders": "all", "efficient_volatility": 4.0, "informed_share": 0.6}


@pytest.mark.slow
def test_a_known_efficient_price_is_found_again() -> None:
    tape = simulated(build({"market": {**MARKET, **TRUTH, "informed": 0.8}}), 6 * 3600.0, 7)
    found = fit_informed(tape, MARKET, Estimate(4.4, 0.6, 72), 1 / 0.8)
    assert found is not None and found.better
    assert abs(found.volatility.z(4.0)) < 4 and 0 < found.volatility.error < 1
    assert abs(found.share.value - 0.6) < 0.25
    assert found.fit.value < 0.2 < found.without.value
    assert found.settings == {
        **TRUTH, "informed": 0.8, "efficient_volatility": pytest.approx(found.volatility.value, rel=1e-5),
        "informed_share": pytest.approx(found.share.value, rel=1e-5),
    }  # fmt: skip
    again = build({"market": {**MARKET, **found.settings}})
    assert again.market.efficient_price == "random-walk"  # type: ignore[attr-defined]


def test_what_helps_and_what_does_not() -> None:
    here = Informed(Estimate(1.0), Estimate(0.5), 1.0, Goodness("", 0.3, 0.0), Goodness("", 0.4, 0.0))
    assert here.better and not replace(here, fit=Goodness("", 0.4, 0.0)).better


def test_a_mid_that_stands_still_has_none() -> None:
    tape, _ = order_flow(1, 3_000)
    still = replace(tape, bid_price=np.full(len(tape), 100), ask_price=np.full(len(tape), 101))
    assert fit_informed(still, MARKET, Estimate(1.0, 0.1), 1.0) is None


def test_it_is_fitted_on_demand_and_of_order_flow_only() -> None:
    tape, _ = order_flow(1, 3_000)
    found = study(tape)
    assert "efficient_price" not in fit("order-flow", found, Wanted(exponentials=0)).settings
    with pytest.raises(ConfigError, match="--efficient-price = fitted has no effect on the market book: drop it"):
        fit("book", found, Wanted(efficient_price="fitted"))
