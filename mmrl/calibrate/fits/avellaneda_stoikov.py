"""`avellaneda-stoikov` from a day: sigma by two scales, A and k by the depth profile. Time in seconds, money per share.

Its horizon is five minutes: inventory left after that is closed at the mid, as the paper assumes.
"""

from __future__ import annotations

from mmrl.calibrate.fits import Fitted, Rate, Wanted
from mmrl.calibrate.study import Study, pair, significant

HORIZON = 300.0
STEPS = 300
RATES = (Rate("arrival", "market"),)


def fit(found: Study, wanted: Wanted) -> Fitted:
    """The settings and their errors."""
    market = "avellaneda-stoikov"
    wanted.refuse_all(market)
    depth, tick = found.needed("depth", market), found.events.tick
    sigma = found.needed("volatility", market).two_scale.ticks_per_root_second.times(tick)
    values = {"sigma": pair(sigma), "k": pair(depth.k.times(1 / tick)), "arrival": pair(depth.a)}
    return Fitted(
        {
            "name": market,
            "midprice": significant(found.profile.mid),
            "horizon": HORIZON,
            "nt": STEPS,
            **{name: value for name, (value, _) in values.items()},
        },
        {name: error for name, (_, error) in values.items()},
        "sigma: two scales; arrival, k: least squares on the log fill rates by distance; time in seconds",
    )
