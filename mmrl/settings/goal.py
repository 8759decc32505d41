"""What a sweep searches for: a metric of the epochs, and what of its values counts for a trial."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mmrl.settings.errors import ConfigError, brief

TAKES = ("best", "last", "tail")
GRADES = ("optimality", "grade")
"""Of the best policy, which a run keeps: of these the best epoch counts unless told otherwise."""


@dataclass(frozen=True)
class Goal:
    """The objective of a sweep."""

    metric: str
    """Its key in the records of an epoch is `metric` or `metric_mean`."""
    minimise: bool
    take: str

    @property
    def name(self) -> str:
        """As the spec has it: -value_loss is minimised."""
        return ("-" if self.minimise else "") + self.metric

    def at(self, record: Mapping[str, Any]) -> float | None:
        """The objective of an epoch; None where its record has no such number."""
        value = record.get(self.metric, record.get(f"{self.metric}_mean"))
        if not isinstance(value, int | float) or isinstance(value, bool):
            return None
        try:
            number = float(value)
        except OverflowError:
            return None
        return number if math.isfinite(number) else None

    def of(self, records: Iterable[Mapping[str, Any]]) -> float | None:
        """What counts of a trial with these epochs; None where none has the objective."""
        return self.value_of([value for value in map(self.at, records) if value is not None])

    def value_of(self, values: Sequence[float]) -> float | None:
        """What counts of a trial with this objective in its epochs."""
        return taken(values, self.take, self.minimise)

    def order(self, value: float | None) -> tuple[bool, float]:
        """Sorts values from the best to the worst, those that are not known last."""
        return value is None, (value or 0.0) * (1 if self.minimise else -1)


def goal_of(table: Mapping[str, Any]) -> Goal:
    """The objective in a spec. Raises ConfigError naming key, value and what is allowed."""
    objective = typed(table, "objective", str, None)
    metric = objective.removeprefix("-")
    take = typed(table, "take", str, "best" if metric in GRADES else "tail")
    if take not in TAKES:
        raise ConfigError(f"take = {brief(take)} is not allowed: it must be one of {', '.join(TAKES)}")
    return Goal(metric, objective.startswith("-"), take)


def typed(table: Mapping[str, Any], key: str, kind: type, instead: Any) -> Any:
    """A value of a spec, `instead` where it has none; None makes the key a duty. Raises ConfigError."""
    value = table.get(key, instead)
    if value is None:
        raise ConfigError(f'it has no {key}: add for example {key} = "optimality"')
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        names = {str: "a text", int: "a whole number", bool: "true or false", dict: "a table"}
        raise ConfigError(f"{key} = {brief(value)} is not allowed: it must be {names[kind]}")
    return value


def taken(values: Sequence[float], take: str, minimise: bool = False) -> float | None:
    """What counts of a trial, given the objective by epoch: the best, the last, or the mean of the last tenth."""
    if not values:
        return None
    if take == "last":
        return values[-1]
    if take == "best":
        return min(values) if minimise else max(values)
    tail = values[-max(len(values) // 10, 1) :]
    return math.fsum(value / len(tail) for value in tail)
