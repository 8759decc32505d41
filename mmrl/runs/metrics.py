"""Every metric that an epoch records in metrics.jsonl: its unit, and what it is in one sentence.

The picker of the terminal UI, `mmrl plot --metric`, axes and docs/metrics.md read this list.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

PARTS = {
    "mean": "the mean over the trajectories, or over all live steps",
    "std": "the standard deviation",
    "half": "half of the 95 % interval of the mean",
    "q10": "the 10 % quantile of the trajectories",
    "q90": "the 90 % quantile of the trajectories",
    "se": "the standard error of the mean, in runs of an earlier version",
}
"""Of a metric that an epoch has many values of, what is recorded, each as `NAME_PART`."""
SPREAD = ("mean", "std", "half", "q10", "q90")


@dataclass(frozen=True)
class Metric:
    """What one name stands for."""

    name: str
    unit: str
    text: str
    parts: tuple[str, ...] = ()
    """The parts that are recorded; empty for a plain number."""
    drawn: bool = True
    """Whether its curve says anything."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Its names in metrics.jsonl."""
        return tuple(f"{self.name}_{part}" for part in self.parts) or (self.name,)

    @property
    def described(self) -> str:
        """Sentence and unit."""
        return f"{self.text} ({self.unit})" if self.unit else self.text


METRICS = (
    Metric("reward", "currency", "Rewards of a trajectory, summed: what is maximised", SPREAD),
    Metric("value", "currency", "Cash and worth of the inventory at the end of a trajectory", (*SPREAD, "se")),
    Metric("inventory", "shares", "Shares held at a step, below zero short", SPREAD),
    Metric("spread", "currency", "Best ask less best bid at a step, once the maker has quoted", SPREAD),
    Metric("inventory_abs", "shares", "Size of the inventory at a step, long or short", ("mean",)),
    Metric("final_inventory", "shares", "Shares held at the end of a trajectory", ("mean", "std")),
    Metric("length", "steps", "Steps of a trajectory", ("mean",)),
    Metric(
        "grade", "", "Worth of the policy by the run's objective: exact where it can be, else on fixed trajectories"
    ),
    Metric("optimality", "", "Exact worth of the policy's quotes as a share of the exact optimum, where that is known"),
    Metric(
        "explained_variance",
        "",
        "Share of the variance of the returns that the value function predicted (at most 131 072 rows); 1 is all",
    ),
    Metric("value_loss", "", "Half of the share of that variance which the value function leaves after its fit"),
    Metric("policy_loss", "", "Loss of the policy over the steps of the update, without the entropy bonus"),
    Metric("entropy", "nats", "Entropy of the policy: how much it explores"),
    Metric("kl", "nats", "KL divergence of the policy from the one that acted, in the last pass that moved it"),
    Metric("clip_fraction", "", "Share of the rows whose probability ratio PPO clipped"),
    Metric("grad_norm", "", "Mean norm of the gradient before it is clipped"),
    Metric("passes", "", "Passes over the batch that moved the policy"),
    Metric("learning_rate", "", "Learning rate of the epoch"),
    Metric("trajectories", "", "Trajectories of the epoch", drawn=False),
    Metric("steps", "steps", "Live steps of all trajectories of the epoch"),
    Metric("terminated", "", "Trajectories that the market ended before the clock did"),
    Metric("seconds_rollout", "s", "Time of the simulation"),
    Metric("seconds_update", "s", "Time of the learning"),
    Metric("steps_per_second", "1/s", "Live steps divided by the time of simulation and learning"),
    Metric("epoch", "", "Number of the epoch, from 1", drawn=False),
    Metric("wall", "s", "When the epoch ended, in seconds since 1970", drawn=False),
)
NAMES = {metric.name: metric for metric in METRICS}
KEYS = {key: metric for metric in METRICS for key in metric.keys}


def metric_of(name: str) -> Metric | None:
    """The metric with a name, or with a key of metrics.jsonl; None for what no run of this version records."""
    return NAMES.get(name) or KEYS.get(name)


def unit_of(name: str) -> str:
    """The unit of a metric, empty where it has none or nobody knows it."""
    found = metric_of(name)
    return found.unit if found else ""


def described(name: str) -> str:
    """Sentence and unit of a metric, for whoever chooses one."""
    found = metric_of(name)
    return found.described if found else "recorded by another version"


def drawable(keys: Iterable[str]) -> list[str]:
    """Names of the metrics that can be drawn of a run with these keys, in the order of the list, unknown ones last."""
    keys = list(keys)
    known = {KEYS[key].name for key in keys if key in KEYS and (not KEYS[key].parts or key.endswith("_mean"))}
    unknown = [key.removesuffix("_mean") for key in keys if key not in KEYS]
    return [m.name for m in METRICS if m.drawn and m.name in known] + list(dict.fromkeys(unknown))
