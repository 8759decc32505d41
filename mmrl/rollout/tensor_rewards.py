"""The rewards of a packed batch as tensor operations, after the last step: no step needs them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mmrl.rollout.tensor_records import Record


def rewards(
    config: Any,
    rows: Record,
    offsets: Tensor,
    value: Tensor,
    wealth: Tensor,
    inventory: Tensor,
    over: Tensor,
) -> Tensor:
    """Reward [nnz] of packed rows, given final value, wealth and inventory [N]: MARKETS.md's list of rewards."""
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
    if reward.immediate == "wealth":
        midprice = market.midprice if market.name == "book" else market.as_midprice
        out += (after("wealth", wealth) - rows["wealth"]) / (midprice * market.max_dw)
    elif reward.immediate == "pnl":
        out += after("value", value) - rows["value"]
    out -= reward.inventory_penalty * dt * held.double() ** 2
    if reward.add_inventory and reward.immediate != "none":
        out += torch.exp(-10.0 / total * (total - time)) * torch.sign(held - rows["inventory"])
    if reward.add_time and reward.immediate != "none":
        out += time / total
    if reward.final != "none":
        final = value
        if reward.final == "cara":
            final = reward.cara_alpha - torch.exp((-reward.risk_aversion * value).clamp(max=600.0))
        # a side that empties in the very last step does not end the episode before its time
        early = over & (offsets[1:] - offsets[:-1] < market.nt)
        due = filled if reward.always_final else filled & ~early
        out[ends[due]] += final[due]
    return out
