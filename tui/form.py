"""What a form of settings knows without a screen: which fields apply, the errors, the command they make."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mmrl.config import Config, ConfigError, build
from mmrl.config_fields import FieldSpec, field, fields, parse_text, value_of
from mmrl.config_sources import nested, read_preset

HIDDEN = ("run.results",)
PREFIX = re.compile(r"^([\w, -]{2,60}?): ")
NEEDS: dict[str, tuple[str, Any, str]] = {
    "training.lambd": ("training.td", True, "TD(lambda) returns are off"),
    "training.value_lr": ("training.noadv", False, "there is no value network"),
    "reward.risk_aversion": ("reward.final", "cara", "the final reward is not cara"),
    "reward.cara_alpha": ("reward.final", "cara", "the final reward is not cara"),
}
"""Fields that matter only with a certain value of another: key -> (other, its value, reason if not so)."""
EXEMPT_FROM_NEEDS = {"reward.risk_aversion", "reward.cara_alpha"}


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
            match = PREFIX.match(spec.help)
            owners = [part.strip().lower() for part in match.group(1).split(",")] if match else []
            owners = [owner for owner in owners if owner in known]
            if owners and all(values.get(known[owner][0]) != owner for owner in owners):
                key, what = known[owners[0]]
                reasons[spec.key] = f"not used: {what} is {values.get(key, '?')}"
            elif spec.key in NEEDS:
                other, wanted, reason = NEEDS[spec.key]
                custom = values.get("reward.utility") == "custom"
                if values.get(other) != wanted and (spec.key not in EXEMPT_FROM_NEEDS or custom):
                    reasons[spec.key] = f"not used: {reason}"
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
