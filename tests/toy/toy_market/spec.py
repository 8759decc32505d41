"""What the toy market says of itself: observation, actions, units, agents."""

import math

from mmrl.markets.contract import CLOSED_FORM, Axis, Column, Spec
from toy_market.settings import Settings


def spec(settings: Settings) -> Spec:
    """The market with these settings."""
    s = settings
    return Spec(
        name=s.name,
        short="toy",
        prefix="TOY_",
        time_unit="s",
        columns=(
            Column("inventory", "shares", "inventory"),
            Column("steps left", "share of all", "time left"),
            Column("last move of the mid", "ticks"),
        ),
        axes=tuple(
            Axis(f"{side} distance", "distance", side, "ticks", 2.0, 1.5, grid=(0, 1, 2, 3, 4, 5), low=0.0, whole=True)
            for side in ("bid", "ask")
        ),
        steps=s.nt,
        end_time=s.nt * s.pace,
        price=s.midprice,
        volatility=math.sqrt((1 + s.momentum) / (1 - s.momentum) / s.pace),
        agents=(CLOSED_FORM,),
        usual_agents=("symmetric", "glft"),
        parameters=("nt", "k", "pace", "momentum", "limit"),
    )


def fill_curve(settings: Settings) -> tuple[float, float]:
    """k and A: orders at distance delta are filled about A exp(-k delta) times a second."""
    return settings.k, 1.0 / settings.pace
