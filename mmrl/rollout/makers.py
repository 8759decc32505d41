"""A quoter as the arrays that a kernel takes, checked against the market's observation and actions."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from mmrl.kernels.sampling import Kind, Maker
from mmrl.markets.contract import Spec, market_named, spec_of
from mmrl.rollout.quoters import Quoter
from mmrl.rollout.weights import PolicyWeights, pack
from mmrl.settings.model import Config

_KINDS = {"heuristic": Kind.HEURISTIC, "linear": Kind.LINEAR, "table": Kind.TABLE, "observed": Kind.OBSERVED}


def maker_of(config: Config, quoter: Quoter) -> Maker:
    """The arrays of a quoter. Raises ValueError where it does not fit the market."""
    spec = spec_of(config)
    obs, width = len(spec.columns), len(spec.axes)
    gaussian = config.policy.kind == "gaussian"
    blank = _blank(config.market, gaussian)
    if quoter.kind == "learned":
        outputs = width if gaussian else int(blank.choices.sum())
        weights = _checked(quoter.weights, obs, outputs, width if gaussian else None)
        flat, sizes = pack(weights)
        return blank._replace(
            kind=int(Kind.GAUSSIAN if gaussian else Kind.CATEGORICAL),
            deterministic=int(quoter.deterministic),
            weights=flat,
            sizes=sizes,
            log_std=np.ascontiguousarray(weights.log_std, np.float32) if gaussian else blank.log_std,
            mean=np.ascontiguousarray(weights.obs_mean, np.float32),
            std=np.ascontiguousarray(weights.obs_std, np.float32),
        )
    kind, linear = _KINDS[quoter.kind], blank.linear
    if kind == Kind.LINEAR:
        linear = np.array(quoter.linear, np.float64)
        if linear.shape != (width, 3):
            raise ValueError(f"a linear quoter needs {width} x 3 numbers, not {list(linear.shape)}")
    if kind == Kind.HEURISTIC and not spec.heuristic:
        raise ValueError(f"the market {spec.name!r} has no simple maker of its own")
    table = blank.table if quoter.table is None else _table(quoter.table, spec)
    places, chosen, menu = _observed(quoter, spec) or (blank.places, blank.chosen, blank.menu)
    return blank._replace(kind=int(kind), linear=linear, table=table, places=places, chosen=chosen, menu=menu)


@lru_cache(maxsize=16)
def _blank(market: Any, gaussian: bool) -> Maker:
    """What all makers have in a market with these settings, and arrays that nobody reads in place of what they have of
    their own; remembered, since every rollout asks."""
    spec = market_named(market.name).spec(market)
    obs, width = len(spec.columns), len(spec.axes)
    choices, scale = _actions(spec, gaussian)
    return Maker(
        kind=-1,
        deterministic=0,
        weights=np.zeros(8, np.float32),
        sizes=np.array([obs], np.int64),
        log_std=np.zeros(width, np.float32),
        choices=choices,
        scale=scale,
        skew=np.array([axis.skew if gaussian else axis.grid_skew for axis in spec.axes]),
        fading=spec.fading,
        mean=np.zeros(obs, np.float32),
        std=np.ones(obs, np.float32),
        linear=np.zeros((width, 3)),
        table=np.zeros((1, 1, width)),
        places=np.zeros((1, 3), np.int64),
        chosen=np.zeros((1, 1), np.uint8),
        menu=np.zeros((1, 1)),
    )


def unlearned(config: Config) -> PolicyWeights:
    """The smallest policy for a market: one layer, all zeros."""
    spec = spec_of(config)
    obs, axes, gaussian = len(spec.columns), len(spec.axes), config.policy.kind == "gaussian"
    outputs = axes if gaussian else sum(len(axis.grid) for axis in spec.axes)
    zeros, ones = np.zeros(obs, np.float32), np.ones(obs, np.float32)
    layer = np.zeros((obs, outputs), np.float32), np.zeros(outputs, np.float32)
    return PolicyWeights([layer], np.zeros(axes if gaussian else 0, np.float32), zeros, ones)


def _checked(weights: PolicyWeights | None, obs: int, outputs: int, axes: int | None) -> PolicyWeights:
    """The weights of a learned quoter, if they fit."""
    if weights is None:
        raise ValueError("a learned quoter needs its weights")
    inputs = weights.layers[0][0].shape[0]
    if inputs != obs:
        raise ValueError(f"the policy takes {inputs} inputs, this market shows {obs}")
    if weights.layers[-1][1].size != outputs or (axes is not None and weights.log_std.size != axes):
        raise ValueError(f"the policy has {weights.layers[-1][1].size} outputs, its actions need {outputs}")
    return weights


def _actions(spec: Spec, gaussian: bool) -> tuple[np.ndarray, np.ndarray]:
    """Choices per axis int64 [A], and (centre, scale) or the grid per axis, float64 [A, K]."""
    rows = [(axis.centre, axis.scale) if gaussian else axis.grid for axis in spec.axes]
    scale = np.zeros((len(rows), max(map(len, rows))))
    for i, row in enumerate(rows):
        scale[i, : len(row)] = row
    return np.array([len(row) for row in rows], np.int64), scale


def _table(table: np.ndarray, spec: Spec) -> np.ndarray:
    """A quoter's table, checked."""
    shape, width = table.shape, len(spec.axes)
    if len(shape) != 3 or 0 in shape or shape[0] > spec.steps or shape[1] % 2 == 0 or shape[2] != width:
        raise ValueError(f"a table must be [rows <= {spec.steps}, 2 Q + 1, {width}], not {list(shape)}")
    return table


def _observed(quoter: Quoter, spec: Spec) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The parts of the quoter's table by observation, checked; None without one."""
    obs, width = len(spec.columns), len(spec.axes)
    places, chosen, menu = quoter.places, quoter.chosen, quoter.menu
    if places is None or chosen is None or menu is None:
        return None
    if places.shape != (obs, 3) or menu.ndim != 2 or menu.shape[1] != width:
        raise ValueError(
            f"a table by observation needs places [{obs}, 3] and a menu [choices, {width}], "
            f"not {list(places.shape)} and {list(menu.shape)}"
        )
    last = int(((places[:, 1] - places[:, 0]) * places[:, 2]).sum())
    if chosen.ndim != 2 or not 0 < len(chosen) <= spec.steps or chosen.shape[1] <= last or chosen.max() >= len(menu):
        raise ValueError(
            f"a table by observation must be [rows <= {spec.steps}, more than {last}] of choices below {len(menu)}, "
            f"not {list(chosen.shape)} up to {chosen.max()}"
        )
    return places, chosen, menu
