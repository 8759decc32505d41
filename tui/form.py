"""What a form of settings knows without a screen: which fields apply, the errors, the command they make."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from mmrl.settings.fields import FieldSpec, field, fields, parse_text, value_of
from mmrl.settings.model import Config, ConfigError, Reward, build
from mmrl.settings.sources import nested, read_preset

HIDDEN = ("run.results",)
PREFIX = re.compile(r"^([\w, -]{2,60}?): ")
Values = Mapping[str, Any]
"""Values of the settings by key, with those that follow from others: `step_kind` and `final_kind` of the reward."""


def _is(key: str, *wanted: Any) -> Callable[[Values], bool]:
    return lambda values: values.get(key) in wanted


def _averse(values: Values) -> bool:
    """Whether the reward's own risk aversion counts."""
    book = values.get("market.name") == "book" and values.get("reward.utility") in ("mean-variance", "entropic")
    return book or values.get("final_kind") == "cara"


RULES: tuple[tuple[tuple[str, ...], Callable[[Values], bool], str], ...] = (
    (("training.lambd",), _is("training.td", True), "TD(lambda) returns are off"),
    (("training.value_lr",), _is("training.noadv", False), "there is no value network"),
    (("training.clip",), _is("training.noclip", False), "the ratio is not clipped"),
    (("reward.immediate", "reward.final"), _is("reward.utility", "custom"), "the utility says what is paid"),
    (("reward.add_inventory", "reward.add_time"), _is("step_kind", "wealth", "pnl"), "steps pay nothing"),
    (("reward.always_final",), _is("final_kind", "value", "cara"), "nothing is paid at the end"),
    (("reward.risk_aversion",), _averse, "no risk is weighed by it"),
    (("reward.cara_alpha",), _is("final_kind", "cara"), "the final reward is not cara"),
    (
        ("reward.inventory_penalty",),
        _is("reward.utility", "custom", "inventory-penalty"),
        "the utility has no such part",
    ),
    (
        ("reward.damping",),
        _is("reward.utility", "damped", "damped-symmetric", "guo-lin-huang"),
        "the utility dampens nothing",
    ),
    (
        ("policy.size_centre", "policy.size_scale", "policy.delta_centre", "policy.delta_scale"),
        _is("policy.kind", "gaussian"),
        "the policy is categorical",
    ),
    (
        ("policy.as_delta_centre", "policy.as_delta_scale", "policy.as_tilt"),
        _is("policy.kind", "gaussian"),
        "the policy is categorical",
    ),
    (("policy.size_grid",), _is("market.name", "book"), "every quote is one share"),
    (("training.noclip", "training.clip"), _is("training.algorithm", "ppo"), "the algorithm is reinforce"),
)
"""Fields that matter only with certain values of others: keys, whether they do, the reason if they do not."""
RULED = ("reward.damping",)  # whose help names only some of the choices that it belongs to


class Draft:
    """Texts of all settings as they are typed, over a preset or a run; errors never raise."""

    def __init__(self) -> None:
        self.specs = [spec for spec in fields() if spec.key not in HIDDEN]
        self.preset = ""
        self.base: dict[str, Any] = {}
        self.texts: dict[str, str] = {}
        self.start_from("", {})

    def start_from(self, preset: str, values: Mapping[str, Any] | None = None) -> None:
        """Take the values of a preset (or the given ones) and forget what was typed."""
        self.preset = preset
        self.base = {spec.key: spec.default for spec in self.specs}
        if preset:
            self.base.update({k: v for k, v in read_preset(preset).items() if k in self.base})
        self.texts = {spec.key: as_text(self.base[spec.key]) for spec in self.specs}
        for key, value in (values or {}).items():
            if key in self.texts:
                self.texts[key] = as_text(value)

    def start_from_run(self, config: Config) -> None:
        """Take the settings of a run, but not its name."""
        values = {spec.key: value_of(config, spec) for spec in self.specs if spec.key != "run.name"}
        self.start_from("", values)

    def parsed(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Values that can be read and errors of those that cannot, by key."""
        values: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for spec in self.specs:
            try:
                values[spec.key] = parse_text(spec, self.texts[spec.key])
            except ConfigError as error:
                errors[spec.key] = short(str(error))
        return values, errors

    def errors(self) -> dict[str, str]:
        """What is wrong, by key; contradictions stand at the field that their message begins with."""
        values, errors = self.parsed()
        for spec in self.specs:
            if spec.key in values:
                try:
                    build(nested({spec.key: values[spec.key]}))
                except ConfigError as error:
                    if " is not allowed: " in str(error):
                        errors[spec.key] = short(str(error))
        if not errors:
            try:
                build(nested(values))
            except ConfigError as error:
                first = str(error).split(" = ")[0]
                errors[first if first in self.texts else "run.name"] = str(error)
        return errors

    def inactive(self) -> dict[str, str]:
        """Fields that do nothing with the values chosen, each with the reason."""
        values, _ = self.parsed()
        chosen = {k: values[f"reward.{k}"] for k in ("utility", "immediate", "final") if f"reward.{k}" in values}
        reward = Reward.model_construct(**chosen)
        values |= {"step_kind": reward.step_kind, "final_kind": reward.final_kind}
        known = {
            "book": ("market.name", "the market"),
            "avellaneda-stoikov": ("market.name", "the market"),
            "gaussian": ("policy.kind", "the policy"),
            "categorical": ("policy.kind", "the policy"),
            "ppo": ("training.algorithm", "the algorithm"),
        }
        known.update({choice: ("reward.utility", "the utility") for choice in field("reward.utility").choices})
        reasons = {}
        for spec in self.specs:
            match = PREFIX.match(spec.help) if spec.key not in RULED else None
            owners = [part.strip().lower() for part in match.group(1).split(",")] if match else []
            owners = [owner for owner in owners if owner in known]
            if owners and all(values.get(known[owner][0]) != owner for owner in owners):
                key, what = known[owners[0]]
                reasons[spec.key] = f"not used: {what} is {values.get(key, '?')}"
        for keys, holds, reason in RULES:
            if not holds(values):
                reasons.update({key: f"not used: {reason}" for key in keys if key not in reasons})
        return reasons

    def changed(self) -> dict[str, Any]:
        """Values that differ from the preset's (or the defaults), by key; only those that can be read."""
        values, _ = self.parsed()
        return {key: value for key, value in values.items() if value != self.base[key]}

    def arguments(self) -> list[str]:
        """The arguments of `mmrl train` that give exactly these settings."""
        words = ["--preset", self.preset] if self.preset else []
        for key, value in self.changed().items():
            words += _argument(field(key), value)
        return words


def _argument(spec: FieldSpec, value: Any) -> list[str]:
    if value is True and spec.kind == "bool":
        return [spec.flags[0]]
    text = as_text(value)
    flag = spec.flags[0]
    if spec.kind == "bool" or text.startswith("-") or not text:
        return ["--set", f"{spec.key}={text}"]
    return [flag, text]


def as_text(value: Any) -> str:
    """A value as one would type it into a form; nothing for an empty text."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(as_text(item) for item in value)
    return str(value)


def short(message: str) -> str:
    """A refusal without the name of the field, which stands beside it."""
    _, found, rest = message.partition(" is not allowed: ")
    return rest.partition("; the default is")[0] if found else message


def steps(draft: Draft) -> float:
    """Simulated steps of the whole run, at most."""
    values, _ = draft.parsed()
    try:
        return float(values["market.nt"]) * float(values["training.nb"]) * float(values["training.ne"])
    except (KeyError, TypeError, ValueError):
        return float("nan")


BASE = {"book": 375e6, "avellaneda-stoikov": 440e6}
ROW = 116
"""Bytes of memory of a process that trains without steps, and of each step of an epoch beside its observation.

Fitted to the peaks of runs of 10^4 to 3 * 10^6 steps an epoch on a CPU.
"""


def memory(draft: Draft) -> float:
    """Bytes of memory that training takes at its peak, about; NaN while a field cannot be read."""
    values, _ = draft.parsed()
    try:
        rows = float(values["market.nt"]) * float(values["training.nb"])
        market = values["market.name"]
        extras = {"state": 0, "inventory": 1, "full": 3}[values["market.observation"]]
        observed = 4 * values["market.n_obs"] + 1 + extras if market == "book" else 2
        return BASE[market] + rows * (ROW + 4.0 * observed)
    except (KeyError, TypeError, ValueError):
        return float("nan")
