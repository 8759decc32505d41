"""The rewards of a packed batch as tensor operations, after the last step: no step needs them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmrl.kernels import reward as utilities
from mmrl.rollout.tensor_records import Record


def rewards(
    config: Any,
    rows: Record,
    offsets: Tensor,
    value: Tensor,
    wealth: Tensor,
    mid: Tensor,
    inventory: Tensor,
    over: Tensor,
) -> Tensor:
    """Reward [nnz] of packed rows, given final value, wealth, mid and inventory [N]."""
    reward, market = config.reward, config.market
    dt, total = market.step_length, market.end_time
    ends = offsets[1:] - 1
    filled = offsets[1:] > offsets[:-1]

    def after(name: str, final: Tensor) -> Tensor:
        following = torch.cat([rows[name][1:], rows[name][:1]])
        following[ends[filled]] = final[filled].to(following.dtype)
        return following

    held = after("inventory", inventory)
    time = rows["step"].double() * dt
    out = torch.zeros_like(rows["wealth"])
    if reward.utility != "custom":
        out += _utility(config, rows, after("value", value) - rows["value"], held, after("mid", mid) - rows["mid"])
    elif reward.immediate == "wealth":
        midprice = market.midprice if market.name == "book" else market.as_midprice
        out += (after("wealth", wealth) - rows["wealth"]) / (midprice * market.max_dw)
    elif reward.immediate == "pnl":
        out += after("value", value) - rows["value"]
    if reward.utility == "custom":
        out -= reward.inventory_penalty * dt * held.double() ** 2
    if reward.add_inventory and reward.step_kind != "none":
        out += torch.exp(-10.0 / total * (total - time)) * torch.sign(held - rows["inventory"])
    if reward.add_time and reward.step_kind != "none":
        out += time / total
    out[ends[filled]] -= reward.final_penalty * inventory[filled].double() ** 2
    if reward.final_kind != "none":
        final = value
        if reward.final_kind == "cara":
            final = reward.cara_alpha - torch.exp((-reward.risk_aversion * value).clamp(max=600.0))
        # a side that empties in the very last step does not end the episode before its time
        early = over & (offsets[1:] - offsets[:-1] < market.nt)
        due = filled if reward.always_final else filled & ~early
        out[ends[due]] += final[due]
    return out


def _utility(config: Any, rows: Record, psi: Tensor, held: Tensor, d_mid: Tensor) -> Tensor:
    """The step's part of the utility that is chosen [nnz]: the kernels' functions on whole columns."""
    market, reward, dt = config.market, config.reward, config.market.step_length
    book = market.name == "book"
    q, exposed = held.double(), (rows["inventory"] if book else held).double()
    variance = (market.volatility if book else market.sigma) ** 2
    if reward.utility == "mean-variance":
        return utilities.mean_variance.py_func(psi, q, config.aversion, variance, dt)
    if reward.utility == "inventory-penalty":
        return utilities.inventory_penalty.py_func(psi, q, reward.inventory_penalty, dt)
    if reward.utility == "damped":
        return utilities.damped.py_func(psi, exposed, d_mid, reward.damping)
    if reward.utility == "damped-symmetric":
        return utilities.damped_symmetric.py_func(psi, exposed, d_mid, reward.damping)
    if reward.utility == "guo-lin-huang":
        return utilities.guo_lin_huang.py_func(psi, exposed, d_mid, q, reward.damping, reward.size_penalty)
    if reward.utility == "entropic":
        return utilities.entropic.py_func(psi, exposed, d_mid, q, config.aversion, variance, dt)
    return psi if reward.utility == "linear" else torch.zeros_like(psi)
