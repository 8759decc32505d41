"""What a setting is: default, bounds, help, flags, and when it matters, declared in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from mmrl.settings.errors import ConfigError, brief

DERIVED = {
    "reward.step_kind": ("reward.utility", "reward.immediate"),
    "reward.final_kind": ("reward.utility", "reward.final"),
    "market.states_aversion": ("market.name",),
}
"""Properties of the groups that conditions name, with the settings that they follow from."""


@dataclass(frozen=True)
class When:
    """A setting matters only in some cases: where, in one of `cases`, every key named has one of the values given.

    Keys are dotted (`training.td`); properties of the groups may be named too. `otherwise` says why it has no effect.
    A setting that only confirms what holds anyway (not to clip where nothing is clipped) is not refused.
    """

    otherwise: str
    cases: tuple[Mapping[str, tuple[Any, ...]], ...]
    refused: bool = True

    def holds(self, values: Mapping[str, Any]) -> bool:
        """Whether the setting matters with these values by dotted key; unknown ones decide nothing."""
        return any(all(values[key] in wanted for key, wanted in case.items() if key in values) for case in self.cases)

    def keys(self) -> list[str]:
        """The settings that decide."""
        named = [key for case in self.cases for key in case]
        return list(dict.fromkeys(setting for key in named for setting in DERIVED.get(key, (key,))))


def when(otherwise: str, *cases: Mapping[str, Any], refused: bool = True) -> When:
    """A condition; a single value may stand for a tuple of one."""
    whole = tuple({key: v if isinstance(v, tuple) else (v,) for key, v in case.items()} for case in cases)
    return When(otherwise, whole, refused)


def option(
    default: Any,
    help: str,
    *flags: str,
    switches: Mapping[str, Any] | None = None,
    applies: When | tuple[When, ...] = (),
    part: str = "",
    **bounds: Any,
) -> Any:
    """Declare a setting.

    `switches` maps flags without a value to the value they stand for. `part` says what the setting is part of, where
    that matters: "shape" (of the networks' inputs and outputs: fixed once a run has begun), "view" (shape, and what is
    seen of a market, not what it does), "action" (what actions mean: likewise), "arithmetic" (fixed too), "start"
    (training only: an evaluation leaves it at its default), "maker" (what matters only where a maker trades).
    """
    conditions = applies if isinstance(applies, tuple) else (applies,)
    extra: dict[str, Any] = {"flags": list(flags), "switches": dict(switches or {}), "part": part, "when": conditions}
    return Field(default, description=help, json_schema_extra=extra, **bounds)


class Group(BaseModel):
    """A group of settings: frozen, strict about types, closed to unknown keys."""

    # Schemas are built at the first use: a help page needs none.
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)

    def __setattr__(self, name: str, value: Any) -> None:
        raise ConfigError(
            f"{name} = {brief(value)} cannot be assigned: settings are immutable, config.but(...) makes a changed copy"
        )

    def __delattr__(self, name: str) -> None:
        raise ConfigError(f"{name} cannot be deleted: settings are immutable")
