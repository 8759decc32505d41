"""The rewards of a packed batch as tensor operations, after the last step: no step needs them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mmrl.kernels import reward as utilities
from mmrl.kernels.reward import LARGEST_EXPONENT, SIGN_BONUS_RATE
from mmrl.markets.contract import spec_of
from mmrl.rollout.tensor_records import Record
from mmrl.settings.model import Config


def rewards(config: Config, rows: Record, offsets: Tensor, end: Record, over: Tensor) -> Tensor:
    """Reward [nnz] of packed rows; `end` holds time, cash, inventory, mid and value at the end [N]."""
    reward, spec = config.reward, spec_of(config)
    ends = offsets[1:] - 1
    filled = offsets[1:] > offsets[:-1]

    def after(name: str) -> Tensor:
        following = torch.cat([rows[name][1:], rows[name][:1]])
        following[ends[filled]] = end[name][filled].to(following.dtype)
        return following

    held, time, total = after("inventory"), rows["time"], spec.end_time
    out = torch.zeros_like(rows["cash"])
    if reward.utility != "custom":
        out += _utility(config, rows, after("value") - rows["value"], held.double())
    elif reward.immediate == "wealth":
        out += (after("cash") - rows["cash"]) / (spec.price * reward.max_dw)
    elif reward.immediate == "pnl":
        out += after("value") - rows["value"]
    if reward.utility == "custom":
        out -= reward.inventory_penalty * rows["elapsed"] * held.double() ** 2
    if reward.add_inventory and reward.step_kind != "none":
        out += torch.exp(-SIGN_BONUS_RATE / total * (total - time)) * torch.sign(held - rows["inventory"])
    if reward.add_time and reward.step_kind != "none":
        out += time / total
    out[ends[filled]] -= reward.final_penalty * end["inventory"][filled].double() ** 2
    if reward.final_kind != "none":
        final = end["value"]
        if reward.final_kind == "cara":
            worth = utilities.cara.py_func(
                final.cpu().numpy(), reward.risk_aversion, reward.cara_alpha, LARGEST_EXPONENT
            )
            final = torch.as_tensor(worth, device=final.device)
        # a market that terminates in the very last step does not end the episode before its time
        early = over & (offsets[1:] - offsets[:-1] < spec.steps)
        due = filled if reward.always_final else filled & ~early
        out[ends[due]] += final[due]
    return out


def _utility(config: Config, rows: Record, psi: Tensor, q: Tensor) -> Tensor:
    """The step's part of the utility that is chosen [nnz]: the kernels' functions on whole columns."""
    reward, dt, revaluation = config.reward, rows["elapsed"], rows["revaluation"]
    spec = spec_of(config)
    variance = spec.volatility**2
    if reward.utility == "mean-variance":
        return utilities.mean_variance.py_func(psi, q, config.aversion, variance, dt)
    if reward.utility == "inventory-penalty":
        return utilities.inventory_penalty.py_func(psi, q, reward.inventory_penalty, dt)
    if reward.utility == "damped":
        return utilities.damped.py_func(psi, revaluation, reward.damping)
    if reward.utility == "damped-symmetric":
        return utilities.damped_symmetric.py_func(psi, revaluation, reward.damping)
    if reward.utility == "guo-lin-huang":
        return utilities.guo_lin_huang.py_func(psi, revaluation, q, reward.damping, reward.size_penalty)
    if reward.utility == "entropic":
        gamma = config.aversion
        price = 0.5 * gamma * variance * q * q * dt
        if spec.mid_moves == "two-point":
            risk = gamma * q.abs() * torch.sqrt(variance * dt)
            price = (risk + torch.log1p(torch.exp(-2.0 * risk)) - math.log(2.0)) / gamma
        return utilities.entropic.py_func(psi, revaluation, price)
    return psi if reward.utility == "linear" else torch.zeros_like(psi)
