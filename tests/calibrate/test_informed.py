"""The price that nobody sees: found again in a market that has one, and left out where it does not help."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mmrl.calibrate import informed
from mmrl.calibrate.estimate import Estimate, Goodness
from mmrl.calibrate.fits import Wanted, fit
from mmrl.calibrate.informed import Informed, fit_informed
from mmrl.calibrate.simulated import simulated
from mmrl.calibrate.study import study
from mmrl.calibrate.volatility import volatility
from mmrl.data.events import Events
from mmrl.kernels.account import Overfull
from mmrl.settings.build import build
from mmrl.settings.errors import ConfigError
from tests.calibrate.tapes import Recovered, order_flow

MARKET: dict[str, Any] = {
    "name": "order-flow",
    "limit_rates": (60.0, 20.0, 10.0),
    "cancel_rates": (4.0, 1.5, 1.0),
    "market_rates": (15.0,),
}
TRUTH: dict[str, Any] = {
    "efficient_price": "random-walk",
    "informed_orders": "all",
    "efficient_volatility": 4.0,
    "informed_share": 0.6,
}


def known(seed: int) -> Events:
    return simulated(build({"market": {**MARKET, **TRUTH, "informed": 0.8}}), 6 * 3600.0, seed)


def fitted(tape: Events) -> Informed:
    """As calibrate does; the mean spread that it would take is given."""
    found = fit_informed(tape, MARKET, volatility(tape).two_scale.ticks_per_root_second.times(math.sqrt(60.0)), 1 / 0.8)
    assert found is not None
    return found


@pytest.mark.nightly
def test_a_known_efficient_price_is_found_again() -> None:
    found = fitted(known(8))
    assert abs(found.volatility.z(4.0)) < 3 and 0 < found.volatility.error < 0.6
    assert abs(found.share.z(0.6)) < 3 and 0 < found.share.error < 0.15
    assert found.better and found.fit.value < 0.15 < found.without.value
    assert found.settings == {
        **TRUTH, "informed": 0.8, "efficient_volatility": pytest.approx(found.volatility.value, rel=1e-5),
        "informed_share": pytest.approx(found.share.value, rel=1e-5),
    }  # fmt: skip
    again = build({"market": {**MARKET, **found.settings}})
    assert again.market.efficient_price == "random-walk"  # type: ignore[attr-defined]


@pytest.mark.nightly
def test_it_is_found_again_in_twenty_tapes() -> None:
    """At the end of the grid a share has no error, and says nothing."""
    recovered = Recovered()
    for seed in range(7, 27):
        found = fitted(known(seed))
        recovered.add("volatility", found.volatility, TRUTH["efficient_volatility"])
        if math.isfinite(found.share.error):
            recovered.add("share", found.share, TRUTH["informed_share"])
    assert len(recovered.z["share"]) >= 15
    recovered.check(0.85)


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
    unknown = replace(found, volatility=None, missing={"volatility": "too short"})
    with pytest.raises(ConfigError, match="order-flow needs an estimate of volatility: too short"):
        fit("order-flow", unknown, Wanted(exponentials=0, efficient_price="fitted"))


def test_a_market_without_end_is_no_fit_but_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    tape = known(8)

    def growing(*_: Any) -> Events:
        raise Overfull("more orders rest than there is room for")

    monkeypatch.setattr(informed, "simulated", growing)
    found = fit_informed(tape, MARKET, Estimate(4.0, 0.4, 72), 1.0)
    assert found is not None and not found.better
