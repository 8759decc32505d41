"""What a form of settings knows without a screen: which fields apply, the errors, the command they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmrl.runs.memory import Demand, demand
from mmrl.settings.build import build
from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import NAME, FieldSpec, field, fields, parse_text, values_of, without_effect
from mmrl.settings.model import Config
from mmrl.settings.registry import default_market, markets
from mmrl.settings.sources import nested, read_preset

HIDDEN = ("run.results",)


class Draft:
    """Texts of all settings as they are typed, over a preset or a run; errors never raise.

    The settings of every market have a text; those of the chosen market count.
    """

    def __init__(self) -> None:
        self.specs = [spec for spec in fields() if spec.key not in HIDDEN]
        self.preset = ""
        self.base: dict[str, Any] = {}
        self.texts: dict[str, str] = {}
        self._market = default_market()
        self.start_from("", {})

    def start_from(self, preset: str, values: Mapping[str, Any] | None = None) -> None:
        """Take the values of a preset (or the given ones) and forget what was typed."""
        self.preset = preset
        given = read_preset(preset) if preset else {}
        self._market = str(given.get(NAME, (values or {}).get(NAME, default_market())))
        self.base = self._defaults() | {key: value for key, value in given.items() if key in self._defaults()}
        self.texts = {key: as_text(value) for key, value in self.base.items()}
        for key, value in (values or {}).items():
            if key in self.texts:
                self.texts[key] = as_text(value)
        self._first = dict(self.texts)

    @property
    def touched(self) -> bool:
        """Whether anything was typed since it was started from a preset or a run."""
        return self.texts != self._first

    def start_from_run(self, config: Config) -> None:
        """Take the settings of a run, but not its name."""
        self.start_from("", {key: value for key, value in values_of(config).items() if key != "run.name"})

    def _defaults(self) -> dict[str, Any]:
        """Defaults of all settings, where they differ those of the chosen market."""
        defaults = {spec.key: spec.defaults.get(self._market, spec.default) for spec in self.specs}
        return defaults | {NAME: default_market()}

    @property
    def market(self) -> str:
        """The market that is chosen; what was not changed follows its defaults."""
        chosen = self.texts[NAME]
        if chosen != self._market and chosen in markets():
            old, self._market = self.base, chosen
            known = {spec.key for spec in fields(chosen)}
            given = read_preset(self.preset) if self.preset else {}
            if not set(given) <= known:  # the preset is one of another market
                self.preset, given = "", {}
            self.base = self._defaults() | given
            for key, value in self.base.items():
                if key != NAME and self.texts[key] == as_text(old[key]):
                    self.texts[key] = as_text(value)
        return self._market

    def own(self) -> list[FieldSpec]:
        """The settings of the chosen market's runs."""
        return [spec for spec in fields(self.market) if spec.key not in HIDDEN]

    def parsed(self) -> tuple[dict[str, Any], dict[str, str]]:
        """Values that can be read and errors of those that cannot, by key."""
        values: dict[str, Any] = {}
        errors: dict[str, str] = {}
        for spec in self.own():
            try:
                values[spec.key] = parse_text(spec, self.texts[spec.key])
            except ConfigError as error:
                errors[spec.key] = short(str(error))
        return values, errors

    def errors(self) -> dict[str, str]:
        """What is wrong, by key; contradictions stand at the field that their message begins with."""
        values, errors = self.parsed()
        name = {NAME: self.market}
        for key, value in values.items():
            try:
                build(nested(name | {key: value}))
            except ConfigError as error:
                if " is not allowed: " in str(error):
                    errors[key] = short(str(error))
        if not errors:
            try:
                build(nested(values))
            except ConfigError as error:
                first = str(error).split(" = ")[0]
                errors[first if first in self.texts else "run.name"] = str(error)
        return errors

    def inactive(self) -> dict[str, str]:
        """Fields that do nothing with the values chosen, each with the reason."""
        market, (values, _) = self.market, self.parsed()
        reasons = {
            spec.key: f"not used: the market is {market}"
            for spec in self.specs
            if spec.markets and market not in spec.markets
        }
        missed = without_effect(values, market)
        return reasons | {key: f"not used: {condition.otherwise}" for key, condition in missed.items()}

    def changed(self) -> dict[str, Any]:
        """Values that differ from the preset's (or the defaults), by key; only those that can be read."""
        values, _ = self.parsed()
        return {key: value for key, value in values.items() if value != self.base[key]}

    def arguments(self) -> list[str]:
        """The arguments of `mmrl train` that give exactly these settings; what has no effect is left out."""
        unused = without_effect(self.parsed()[0], self.market)
        words = ["--preset", self.preset] if self.preset else []
        for key, value in self.changed().items():
            if key not in unused or not unused[key].refused:
                words += _argument(field(key, self.market), value)
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


def demand_of(draft: Draft) -> Demand | None:
    """Steps and memory of the training that it describes; None while a field cannot be read."""
    values, errors = draft.parsed()
    try:
        return None if errors else demand(build(nested(values)))
    except ConfigError:
        return None
