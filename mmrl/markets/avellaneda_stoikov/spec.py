"""What the market of Avellaneda & Stoikov says of itself: observation, actions, units, agents."""

from __future__ import annotations

import math

from mmrl.markets.avellaneda_stoikov.settings import Settings
from mmrl.markets.closed_form import cara_fading, cara_skew
from mmrl.markets.contract import CLOSED_FORM, Axis, Column, Spec

USUAL_GRID = tuple(n / 8 for n in range(1, 26))
"""Distances to choose from in units of 1/k, where the settings name none."""
START_WIDTH = 0.25
"""Standard deviation around 1/k, in these units, with which a categorical policy starts on that grid."""


def spec(settings: Settings) -> Spec:
    """The market with these settings; the maker sees its inventory and the time left.

    Distances are measured in 1/k, over which fills become e times rarer, so that no market needs a scale of its own.
    With skew "cara" quotes move by S per share held, the slope in q, far from the end, of the best quotes for CARA
    utility (`cara_skew`); with "risk" by its limit for a small gamma, where (1 + gamma/k)^(1 + k/gamma) is e: that of
    mean-variance utility (Cartea & Jaimungal's h for small q). A tanh network alone is bounded: at inventories that it
    has never seen its quotes would stop moving.
    """
    s, skew, fading = settings, 0.0, 0.0
    if s.skew == "risk":
        skew = math.sqrt(math.e * s.gamma * s.sigma**2 / (2.0 * s.k * s.arrival))
    elif s.skew == "cara":
        skew = cara_skew(s.sigma, s.k, s.arrival, s.gamma)
        fading = cara_fading(s.sigma, s.gamma, skew) / s.horizon
    centre, scale = s.delta_centre / s.k, s.delta_scale / s.k
    usual = not s.delta_grid
    grid = tuple(x / s.k for x in USUAL_GRID) if usual else s.delta_grid
    start = tuple(-0.5 * ((x - 1.0) / START_WIDTH) ** 2 for x in USUAL_GRID) if usual else ()
    return Spec(
        name=s.name,
        short="a-s",
        prefix="AS_",
        time_unit="T",
        columns=(Column("inventory", "shares", "inventory", signed=True), Column("time left", "T", "time left")),
        axes=tuple(
            Axis(
                f"{side} distance",
                "distance",
                side,
                "currency",
                centre,
                scale,
                sign * skew,
                grid=grid,
                grid_skew=sign * skew if usual else 0.0,
                start=start,
            )
            for side, sign in (("bid", 1.0), ("ask", -1.0))
        ),
        steps=s.nt,
        end_time=s.horizon,
        price=s.midprice,
        volatility=s.sigma,
        agents=(CLOSED_FORM, "optimum"),
        usual_agents=("optimum", "avellaneda-stoikov", "symmetric"),
        parameters=("nt", "midprice", "sigma", "k", "arrival", "gamma", "fill", "horizon"),
        fading=fading,
        mid_moves="two-point",
        mirrored=True,
        exact_optimum=True,
        memory=181e6,
        solution_memory=30e3,
    )


def fill_curve(settings: Settings) -> tuple[float, float]:
    """k and A as the settings state them."""
    return settings.k, settings.arrival
