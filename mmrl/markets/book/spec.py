"""What the order book says of itself: observation, actions, units, agents."""

from __future__ import annotations

import math

import numpy as np

from mmrl.markets.book.settings import MS, Settings
from mmrl.markets.contract import CLOSED_FORM, Axis, Column, Spec

TABLE_ROWS = 500
"""Times at most in a table of quotes."""
LEVEL, LOT = 32, 24
"""Bytes of a level of the ladder and of a lot; of the latter there is room for four a step."""
TENSOR_LEVEL, RECORDED_LEVEL = 48, 64
"""Bytes of a level in the tensor engine and of one that is recorded, copies included."""
_SEEN = (("bid size", "shares"), ("bid distance", "currency"), ("ask size", "shares"), ("ask distance", "currency"))


def spec(settings: Settings) -> Spec:
    """The book with these settings. Observed are the last n_obs states (q_b, delta_b, q_a, delta_a), newest first."""
    ages = [""] + [f", {k} before" for k in range(1, settings.n_obs)]
    columns = [Column(name + age, unit) for age in ages for name, unit in _SEEN]
    columns.append(Column("time left", "T", "time left"))
    if settings.observation != "state":
        columns.append(Column("inventory", "shares", "inventory"))
    if settings.observation == "full":
        columns += [Column("mid less its start", "currency"), Column("cash", "currency")]
    levels = 2.0 * settings.half_ladder + 21.0
    return Spec(
        name=settings.name,
        short="book",
        prefix="",
        time_unit="ms",
        columns=tuple(columns),
        axes=tuple(axis for side in ("bid", "ask") for axis in _axes(settings, side)),
        steps=settings.nt,
        end_time=settings.dt * settings.nt,
        price=settings.midprice,
        volatility=settings.volatility,
        agents=("naive", CLOSED_FORM),
        usual_agents=("naive", "symmetric", "fixed"),
        parameters=("nt", "dt", "midprice", "book_size", "volatility", "intensity", "gamma"),
        tabs=("charts", "episode", "book", "quotes", "config", "log"),
        heuristic=True,
        table_rows=min(settings.nt, TABLE_ROWS),
        tensor_lacks=_tensor_lacks(settings),
        memory=194e6,
        trajectory_memory=LEVEL * levels + LOT * 4.0 * settings.nt,
        tensor_memory=TENSOR_LEVEL * levels,
        recording_memory=RECORDED_LEVEL * levels,
        memory_remedy="raise market.tick",
    )


def _axes(settings: Settings, side: str) -> tuple[Axis, Axis]:
    sizes = tuple(float(size) for size in settings.size_grid)
    lean = -settings.size_skew if side == "bid" else settings.size_skew
    size = Axis(
        f"{side} size", "size", side, "shares", settings.size_centre, settings.size_scale, lean, grid=sizes,
        grid_skew=lean, whole=True,
    )  # fmt: skip
    distance = Axis(
        f"{side} distance", "distance", side, "currency", settings.delta_centre, settings.delta_scale,
        grid=settings.delta_grid, low=0.0,
    )  # fmt: skip
    return size, distance


def _tensor_lacks(settings: Settings) -> str:
    for name, value in (("priority", "size"), ("touch_size", "lot")):
        if getattr(settings, name) == value:
            return f"market.{name} = {value!r} needs single lots, which the tensor engine lacks: use --engine compiled"
    if settings.arrivals == "orders":
        return "market.arrivals = 'orders' draws sizes, which the tensor engine lacks: use --engine compiled"
    if settings.uniform and settings.crossed == "dropped":
        return "market.crossed = 'dropped' with market.uniform is not in the tensor engine: use --engine compiled"
    return ""


def fill_curve(settings: Settings) -> tuple[float, float]:
    """k and A: lambda(delta, 1) ~ A exp(-k delta) per millisecond, as stated, or where a fresh share a step earns most.

    The tangent of ln lambda at the distance with the largest delta (1 - exp(-lambda dt)): k is its slope, A its height
    at 0.
    """
    if settings.fill_curve:
        return settings.fill_curve[0], settings.fill_curve[1]
    b, dt = settings.intensity, settings.dt
    orders = settings.arrivals == "orders"
    distance_unit, size_unit = (settings.tick, settings.lot) if orders else (1.0, 1)
    y = min(math.log1p(1.0 / size_unit), settings.log_size_limit)
    delta = np.linspace(0.01, 50.0, 5_000) * distance_unit

    def log_rate(d: np.ndarray) -> np.ndarray:
        far = np.minimum(d / distance_unit, settings.distance_limit)
        x = np.log1p(far)
        power = b[0] + b[1] * x + b[2] * x**2 + b[3] * y + b[4] * y**2 + b[5] * np.log1p(far + 1.0 / size_unit)
        return np.asarray(power - (math.log(MS) if orders else 0.0))

    step = 1e-4 * distance_unit
    best = delta[np.argmax(delta * -np.expm1(-dt * np.exp(np.minimum(log_rate(delta), 700.0))))]
    low, middle, high = log_rate(np.array([best - step, best, best + step]))
    k = max(float(low - high) / (2 * step), 1e-6)
    return k, math.exp(min(float(middle) + k * float(best), 700.0))
