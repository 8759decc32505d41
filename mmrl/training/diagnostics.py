"""What an epoch shows that a user should know at once: training goes on, but nothing can be learned so.

Each kind is told once in the life of a run, in one line that says what to change: to the view, and in the record of the
epoch (`warnings`), from which the terminal UI shows it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mmrl.markets.contract import Axis, spec_of
from mmrl.rollout.arrays import Column, beside, doubles, host, mean
from mmrl.rollout.trajectories import Trajectories
from mmrl.settings.fields import field, fields
from mmrl.settings.model import Config

RECORDED = "warnings"
"""Key in the record of an epoch: the lines by kind."""
FLOAT = np.finfo(np.float32)
EARLY = 0.05
"""Share of the steps of an episode within which every trajectory has ended."""
BEYOND = 0.99
"""Share of the rows whose quotes are beyond what the market takes."""
CENTRES = {"distance": "delta_centre", "size": "size_centre"}
"""Settings that say what an action of 0 asks for, by the kind of axis."""
EXPLAINED, EPOCHS = 0.01, 20
"""An explained variance below this for so many epochs is none: poor ones, of noisy markets, are about 0.05."""
LEAP = 1.0
"""A KL divergence above this in an epoch leaves nothing of what was learned; 0.001 to 0.02 are usual."""


NEGATIVE = "negative prices"
"""Among what was said: that prices have fallen below zero."""


def least(prices: Column) -> float:
    """The lowest price, without those that are none; infinite where there is none."""
    if not isinstance(prices, np.ndarray):
        return float(prices.nan_to_num(nan=np.inf, posinf=np.inf, neginf=np.inf).min()) if len(prices) else np.inf
    lowest = float(np.fmin.reduce(prices, initial=np.inf))
    return float(prices[np.isfinite(prices)].min(initial=np.inf)) if lowest == -np.inf else lowest


class Diagnostics:
    """Looks at every epoch of a run; its state goes into the checkpoint, so that a resumed run says nothing twice."""

    def __init__(self, state: Any = None) -> None:
        known = state if isinstance(state, dict) else {}
        self.said = set(known.get("said", ()))
        self.unexplained = int(known.get("unexplained", 0))
        """Epochs in a row that the value function explained nothing of."""

    def state(self) -> dict[str, Any]:
        """What a checkpoint keeps."""
        return {"said": sorted(self.said), "unexplained": self.unexplained}

    def look(self, config: Config, batch: Trajectories, record: dict[str, Any]) -> dict[str, str]:
        """Lines about an epoch that were not told before, by kind."""
        found = _of_batch(config, batch)
        explained = record.get("explained_variance")
        if explained is not None and not config.training.noadv:
            self.unexplained = self.unexplained + 1 if explained < EXPLAINED else 0
        if self.unexplained >= EPOCHS:
            found["value"] = (
                f"the value function has explained nothing of the returns for {EPOCHS} epochs: make them less noisy by "
                "more trajectories (-nb) or a shorter view (--td with a lower --lambd, a lower --discount)"
            )
        if (moved := record.get("kl", 0.0)) > LEAP:
            found["leap"] = (
                f"the policy became another one in a single epoch, by a KL divergence of {moved:.2g} where 0.01 is "
                "usual: what it had learned is lost; lower --lr"
            )
        new = {kind: line for kind, line in found.items() if kind not in self.said}
        self.said |= set(new)
        return new


def _of_batch(config: Config, batch: Trajectories) -> dict[str, str]:
    filled = _filled(batch)
    found = {
        "dead": _dead(config, batch),
        "fills": "" if filled else _unfilled(config, batch),
        "reward": _flat_reward(config, batch) if filled else "",  # what is paid without fills says nothing of it
        **{f"saturated {kind}": _saturated(config, batch, kind) for kind in CENTRES if filled},
    }
    return {kind: line for kind, line in found.items() if line}


def _dead(config: Config, batch: Trajectories) -> str:
    steps, longest = config.market.nt, int(batch.lengths.max())
    if not batch.terminated.all() or longest > EARLY * steps:
        return ""
    return (
        f"every trajectory ended within {longest} of {steps} steps, because the market ended it: quote less, or make "
        "the market deeper (mmrl train --help-all)"
    )


def _unfilled(config: Config, batch: Trajectories) -> str:
    remedy = _flags(config, *CENTRES.values()) or "mmrl train --help-all"
    return f"no order was filled in {batch.count} trajectories: quote nearer to the mid, or more ({remedy})"


def _saturated(config: Config, batch: Trajectories, kind: str) -> str:
    axes = [(k, axis) for k, axis in enumerate(spec_of(config).axes) if axis.kind == kind and np.isfinite(axis.low)]
    if not axes or any(_beyond(config, batch, k, axis) < BEYOND for k, axis in axes):
        return ""
    return (
        f"{BEYOND:.0%} of the {kind}s that the policy asks for are below {axes[0][1].low:g}, the least that the market "
        f"takes, where all actions do the same: lower -lr, or raise {_flags(config, CENTRES[kind])}"
    )


def _filled(batch: Trajectories) -> bool:
    """Whether anything was traded."""
    return bool((batch.after("inventory") != batch.inventory).any() or (batch.after("cash") != batch.cash).any())


def _flat_reward(config: Config, batch: Trajectories) -> str:
    """The line on rewards that are all alike; empty where they differ by more than single precision tells apart."""
    paid = batch.segment_sum(batch.reward) if batch.count > 1 else host(batch.reward)
    cara = config.reward.final_kind == "cara"
    # an exponential pays the few worst trajectories many orders more than all others, which they must not hide
    worst = -(-paid.size // 20) if cara and paid.size >= 10 else 0
    usual = np.sort(paid)[worst:]
    spread, largest = float(np.ptp(usual)), float(np.abs(usual).max())
    if spread > max(float(FLOAT.tiny), float(FLOAT.eps) * largest):
        return ""
    level = "0" if largest < FLOAT.tiny else f"{usual[0]:.4g}"
    typical = float(np.median(np.abs(host(batch.final_value))))
    if cara and typical > 0:
        return (
            f"the rewards cannot be told from {level}, they spread over {spread:.2g}: exp(-r V) vanishes where V is "
            f"about {typical:.4g} and r is {config.reward.risk_aversion:g}: set --risk-aversion to about "
            f"{1 / typical:.1g}"
        )
    return (
        f"every trajectory is paid the same, {level}, so that nothing tells good quotes from bad ones: change what is "
        "paid (--utility, --immediate, --final)"
    )


def _beyond(config: Config, batch: Trajectories, k: int, axis: Axis) -> float:
    """Share of the rows where the policy asks for less than the market takes of an axis."""
    if config.policy.kind != "gaussian":
        return 0.0  # a menu offers nothing beyond the bound
    asked = axis.centre + axis.scale * doubles(batch.action[:, k])
    if axis.skew:
        steps = config.market.nt
        step, fade = batch.step, spec_of(config).fade(1.0 - np.arange(steps) / steps)
        asked = asked + axis.skew * batch.inventory * beside(fade, step)[step]
    return mean(asked < axis.low)


def _flags(config: Config, *names: str) -> str:
    """Flags of those settings that the market has."""
    known = {spec.key for spec in fields(config.market.name)}
    return ", ".join(field(f"market.{name}").long_flag for name in names if f"market.{name}" in known)
