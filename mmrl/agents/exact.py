"""What any maker is worth exactly, where a market is solved by the states that the maker observes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from mmrl.markets.contract import Objective, Spec, market_of, spec_of
from mmrl.rollout.quoters import Quoter
from mmrl.rollout.weights import PolicyWeights
from mmrl.settings.model import Config

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]


def value_of(config: Config, objective: Objective, quoter: Quoter) -> float | None:
    """The value of a quoter with the actions it samples, or its likeliest; None where it is not of the solved market.

    That is a policy that sees more of it, a gaussian one, or a rule that asks for what is not on the solver's menu.
    """
    solver, spec = market_of(config).optimum, spec_of(config)
    if solver is None or not spec.exact_states:  # a run may see the same market otherwise
        return None
    chances = _chances(config, spec, quoter, np.array(solver.MENU), solver.HEURISTIC)
    try:
        return None if chances is None else float(solver.value_of(config.market, objective, chances))
    except _NotOnTheMenu:
        return None


class _NotOnTheMenu(Exception):
    """A rule asks for what the solved maker cannot do."""


def _chances(
    config: Config, spec: Spec, quoter: Quoter, menu: Float64, heuristic: int
) -> Callable[[Float32], Float64] | None:
    """Chances [X, choices] by observation [X, obs]."""
    rows = np.eye(len(menu))
    if quoter.kind == "learned":
        on_menu = all(set(axis.grid) <= set(column) for axis, column in zip(spec.axes, menu.T, strict=True))
        if config.policy.kind == "gaussian" or not on_menu:
            return None
        weights = quoter.weights
        assert weights is not None
        return lambda seen: _categorical(spec, weights, quoter.deterministic, menu, seen)
    if quoter.kind == "heuristic":
        return lambda seen: np.broadcast_to(rows[heuristic], (len(seen), len(menu)))
    if quoter.kind == "observed":
        return lambda seen: rows[_looked_up(spec, quoter, seen)]
    return lambda seen: rows[_ruled(spec, quoter, menu, seen)]


def _categorical(spec: Spec, weights: PolicyWeights, likeliest: bool, menu: Float64, seen: Float32) -> Float64:
    """Chances of a categorical policy, whose axes are drawn independently."""
    logits = weights.forward(weights.normalise(seen)).astype(np.float64)
    chances, start = np.ones((len(seen), len(menu))), 0
    for k, axis in enumerate(spec.axes):
        mine = logits[:, start : start + len(axis.grid)]
        start += len(axis.grid)
        if likeliest:
            p = np.eye(len(axis.grid))[mine.argmax(1)]
        else:
            p = np.exp(mine - mine.max(1, keepdims=True))
            p /= p.sum(1, keepdims=True)
        for c, action in enumerate(menu):
            chances[:, c] *= p[:, axis.grid.index(action[k])] if action[k] in axis.grid else 0.0
    return chances


def _looked_up(spec: Spec, quoter: Quoter, seen: Float32) -> npt.NDArray[np.int64]:
    places, chosen = quoter.places, quoter.chosen
    assert places is not None and chosen is not None
    low, high, stride = places.T
    at = ((np.clip(seen, low, high).astype(np.int64) - low) * stride).sum(1)
    found: npt.NDArray[np.int64] = chosen[_step(spec, seen) * len(chosen) // spec.steps, at].astype(np.int64)
    return found


def _ruled(spec: Spec, quoter: Quoter, menu: Float64, seen: Float32) -> npt.NDArray[np.int64]:
    """Choices of a linear rule, or of a table by time and inventory; by sizes, where the market leaves no distances."""
    held, t = seen[:, _column(spec, "inventory")].astype(np.int64), _step(spec, seen)
    if quoter.kind == "linear":
        constant, per_share, per_time = np.array(quoter.linear).T
        actions = constant + per_share * held[:, None] + per_time * (1.0 - t / spec.steps)
    else:
        assert quoter.table is not None
        edge = (quoter.table.shape[1] - 1) // 2
        actions = quoter.table[t * len(quoter.table) // spec.steps][np.clip(held, -edge, edge) + edge]
    sizes = [k for k, axis in enumerate(spec.axes) if axis.kind == "size"]
    taken = np.stack([np.maximum(np.floor(actions[:, k] + 0.5), 0.0) for k in sizes], axis=-1)
    equal = (taken[:, None] == menu[:, sizes]).all(-1)
    if not equal.any(1).all():
        raise _NotOnTheMenu
    return equal.argmax(1)


def _step(spec: Spec, seen: Float32) -> int:
    return round((1.0 - float(seen[0, _column(spec, "time left")])) * spec.steps)


def _column(spec: Spec, role: str) -> int:
    found = spec.column_of(role)
    assert found is not None
    return found
