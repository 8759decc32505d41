"""The declared settings as a flat list: what command line, files and forms are made from."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from dataclasses import field as dataclass_field
from functools import cache
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from mmrl.settings.aliases import meant, missing
from mmrl.settings.declare import When
from mmrl.settings.errors import ConfigError, brief, suggestion
from mmrl.settings.market import MarketSettings
from mmrl.settings.model import GROUPS, Config
from mmrl.settings.registry import markets, settings_class
from mmrl.settings.upgrade import DROPPED, new_key

NAME = "market.name"
WORDS = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
NOUNS = {"bool": "true or false", "int": "a whole number", "float": "a number"}


@dataclass(frozen=True)
class FieldSpec:
    """One setting: where it lives, its type, bounds, help and flags."""

    group: str
    name: str
    kind: str
    """bool, int, float, str, choice, ints or floats."""
    default: Any
    help: str
    flags: tuple[str, ...]
    switches: dict[str, Any]
    choices: tuple[str, ...]
    bounds: dict[str, float]
    """Keys ge, gt, le, lt, min_length, max_length where they are set."""
    length: int | None
    """Required number of elements of a list, or None."""
    part: str = ""
    """As in `declare.option`."""
    when: tuple[When, ...] = ()
    markets: tuple[str, ...] = ()
    """Of a market's own settings: the markets that have it; empty where all have."""
    defaults: dict[str, Any] = dataclass_field(default_factory=dict)
    """Of a market's settings: the default in each market that has it."""

    @property
    def key(self) -> str:
        """Dotted key, as in `training.lr`."""
        return f"{self.group}.{self.name}"

    @property
    def option_name(self) -> str:
        """Name that is unique without its group: the first long flag without its dashes."""
        return self.flags[-1 if not self.flags[0].startswith("--") else 0].lstrip("-").replace("-", "_")

    @property
    def long_flag(self) -> str:
        """Its flag with two dashes."""
        return next(flag for flag in self.flags if flag.startswith("--"))

    @property
    def variable(self) -> str:
        """Environment variable that sets it."""
        return f"MMRL_{self.option_name.upper()}"

    @property
    def panel(self) -> str:
        """Heading that it stands under: its group, and the markets that have it where not all have."""
        return self.group.title() + (f": {', '.join(self.markets)}" if self.markets else "")

    @property
    def range(self) -> str:
        """Bounds as text, e.g. `> 0, <= 1`; empty where there are none."""
        return within(self.bounds)

    @property
    def allowed(self) -> str:
        """What a value must be, in words."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind in ("ints", "floats"):
            what = "whole numbers" if self.kind == "ints" else "finite numbers"
            return f"a list of {f'{self.length} ' if self.length else _lengths(self.bounds)}{what}"
        if self.kind == "str":
            return f"text of {_lengths(self.bounds)}characters"
        return NOUNS[self.kind] + (f" {self.range}" if self.range else "")

    @property
    def shown_default(self) -> str:
        """Default as one would type it, for each market where they differ."""
        if len({shown(value) for value in self.defaults.values()}) > 1:
            return ", ".join(f"{shown(value)} ({market})" for market, value in self.defaults.items())
        return shown(self.default)


def _lengths(bounds: Mapping[str, float]) -> str:
    """How many items or characters are allowed, with a space after it; empty where all are."""
    low, high = bounds.get("min_length", 0), bounds.get("max_length")
    if high is not None:
        return f"{low:g} to {high:g} " if low else f"at most {high:g} "
    return f"at least {low:g} " if low else ""


def shown(value: Any) -> str:
    """A value as one would type it on the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(shown(item) for item in value) or "empty"
    return str(value) if value != "" else "empty"


def refusal(spec: FieldSpec, value: Any) -> str:
    """The line that refuses a value: field, value, what is allowed, default."""
    return f"{spec.key} = {brief(value)} is not allowed: it must be {spec.allowed}; the default is {spec.shown_default}"


def no_table(group: str, value: Any) -> str:
    """The line that refuses a value for a whole group, but for how to write it."""
    return f"{group} = {brief(value)} is not allowed: it must be a table of settings"


def unknown_key(key: str, market: str = "") -> str:
    """The line that refuses a key which does not exist, or not in this market."""
    owners = _names()[key].markets if key in _names() else ()
    if owners and market:
        return (
            f"{key} has no effect: the market is {market}, only {' and '.join(owners)} "
            f"{'have' if len(owners) > 1 else 'has'} it: drop it, or use --market {owners[0]}"
        )
    if key in GROUPS:
        first = next(spec for spec in fields() if spec.group == key)
        return f"unknown key '{key}': it is a group: give its settings by name, such as {first.option_name}"
    own = _names().get(key.rpartition(".")[2])
    moved = f": it is {own.key}" if own and own.key != key else ""
    remedy = elsewhere(key, "name") or moved or suggestion(key, _names()) or ": `mmrl train --help-all` lists them"
    return f"unknown key '{key}'{remedy}"


def elsewhere(name: str, shape: str) -> str:
    """The end of a message on a name that other libraries use: what to use here, as `shape` says; else empty.

    `shape` is a property of `FieldSpec`: name, long_flag or variable.
    """
    key, differs = meant(name)
    if key in _names():
        return f": use {getattr(_names()[key], shape)}" + (f" ({differs})" if differs else "")
    reason = missing(name)
    return f": {reason}" if reason else ""


def within(bounds: Mapping[str, float]) -> str:
    """Bounds as text, e.g. `> 0, <= 1`; empty where there are none."""
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    return ", ".join(f"{sign} {_number(bounds[name])}" for name, sign in signs.items() if name in bounds)


def _number(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def _spec(group: str, name: str, info: FieldInfo) -> FieldSpec:
    annotation: Any = info.annotation
    choices: tuple[str, ...] = ()
    length = None
    if f"{group}.{name}" == NAME:
        kind, choices = "choice", markets()
    elif get_origin(annotation) is tuple:
        members = get_args(annotation)
        kind = "ints" if members[0] is int else "floats"
        length = None if Ellipsis in members else len(members)
    elif get_args(annotation):
        kind, choices = "choice", get_args(annotation)
    else:
        kind = annotation.__name__
    bounds: dict[str, float] = {}
    for constraint in info.metadata:
        for bound in ("ge", "gt", "le", "lt", "min_length", "max_length"):
            if getattr(constraint, bound, None) is not None:
                bounds[bound] = getattr(constraint, bound)
    extra: Any = info.json_schema_extra
    return FieldSpec(
        group=group,
        name=name,
        kind=kind,
        default=info.default,
        help=info.description or "",
        flags=tuple(extra["flags"]) or ("--" + name.replace("_", "-"),),
        switches=dict(extra["switches"]),
        choices=choices,
        bounds=bounds,
        length=length,
        part=extra["part"],
        when=tuple(extra["when"]),
    )


@cache
def fields(market: str = "") -> tuple[FieldSpec, ...]:
    """The settings of a market's runs in order of declaration; without a name those of all markets, each key once."""
    if market:
        own = tuple(_spec("market", name, info) for name, info in settings_class(market).model_fields.items())
    else:
        own = _of_all_markets()
    rest = [(group, model) for group, model in GROUPS.items() if group != "market"]
    return own + tuple(_spec(group, name, info) for group, model in rest for name, info in model.model_fields.items())


def _of_all_markets() -> tuple[FieldSpec, ...]:
    """The markets' settings, those that all have first; of a key that several declare the first declaration counts."""
    everywhere = markets()
    declared: dict[str, dict[str, FieldSpec]] = {}
    for market in everywhere:
        for name, info in settings_class(market).model_fields.items():
            declared.setdefault(name, {})[market] = _spec("market", name, info)
    specs = []
    for name, by_market in declared.items():
        first = _merged(by_market)
        shared = len(by_market) == len(everywhere) or name in MarketSettings.model_fields
        defaults = {} if name == "name" else {market: spec.default for market, spec in by_market.items()}
        specs.append(FieldSpec(**{**vars(first), "markets": () if shared else tuple(by_market), "defaults": defaults}))
    return tuple(sorted(specs, key=lambda spec: (len(spec.markets) > 0, spec.markets)))


def _merged(by_market: dict[str, FieldSpec]) -> FieldSpec:
    """The first declaration, with only what it has in common with those of the same key in other markets."""
    specs = list(by_market.values())
    first = specs[0]
    if len({spec.kind for spec in specs}) > 1:  # read as text here, by the market's own declaration later
        return replace(first, kind="str", choices=(), bounds={}, length=None)
    choices = tuple(dict.fromkeys(choice for spec in specs for choice in spec.choices))
    if len({spec.help for spec in specs}) > 1:
        help = "; ".join(f"{market}: {spec.help[0].lower()}{spec.help[1:]}" for market, spec in by_market.items())
        first = replace(first, help=help)
    same = all(spec.bounds == first.bounds for spec in specs)
    return replace(first, choices=choices, bounds=first.bounds if same else {})


@cache
def _names(market: str = "") -> dict[str, FieldSpec]:
    return {name: spec for spec in fields(market) for name in (spec.option_name, spec.key)}


def field(name: str, market: str = "") -> FieldSpec:
    """Find a setting by `training.lr` or just `lr`, old names included; raises ConfigError with a suggestion."""
    for names in (_names(market), _names()) if market else (_names(),):
        found = names.get(name) or names.get(name.lstrip("-").replace("-", "_"))
        if found is not None:
            return found
    dropped = next((key for key in DROPPED if name in (key, key.partition(".")[2])), None)
    if dropped:
        raise ConfigError(f"{dropped} no longer exists, {DROPPED[dropped]}: drop it")
    renamed = new_key(name)
    if renamed:
        return field(renamed, market)
    raise ConfigError(unknown_key(name))


def value_of(config: Config, spec: FieldSpec) -> Any:
    """The value that `config` gives to a setting."""
    return getattr(getattr(config, spec.group), spec.name)


def values_of(config: Config) -> dict[str, Any]:
    """All values of a config by dotted key."""
    return {spec.key: value_of(config, spec) for spec in fields(config.market.name)}


def without_effect(values: Mapping[str, Any], market: str) -> dict[str, When]:
    """Settings of a market's runs that do nothing with these values by key, each with the condition it misses."""
    known = {**values, "market.states_aversion": settings_class(market)().states_aversion}
    reward = GROUPS["reward"].model_construct(
        **{name: known[f"reward.{name}"] for name in ("utility", "immediate", "final") if f"reward.{name}" in known}
    )
    known |= {f"reward.{name}": getattr(reward, name) for name in ("step_kind", "final_kind")}
    found = {}
    for spec in fields(market):
        missed = next((condition for condition in spec.when if not condition.holds(known)), None)
        if missed is not None:
            found[spec.key] = missed
    return found


def number(text: str, kind: str = "float") -> Any:
    """A number from text, an int or a float as `kind` says; ValueError also on what only Python takes: 1_000, ١٢."""
    if not text.isascii() or "_" in text:
        raise ValueError(f"{text!r} is no number")
    value = int(text) if kind == "int" else float(text)
    if math.isinf(value) and "inf" not in text.lower():  # 1e999, which is shown as it was written
        raise ValueError(f"{text!r} is beyond the largest number")
    return value


def parse_text(spec: FieldSpec, text: str) -> Any:
    """Read a value from text (environment, --set, forms); what cannot be read raises ConfigError."""
    try:
        if spec.kind == "bool":
            return WORDS[text.strip().lower()]
        if spec.kind in ("int", "float"):
            return number(text, spec.kind)
        if spec.kind in ("ints", "floats"):
            items = "" if text.strip() == shown(()) else text.strip().strip("[]()").removesuffix(",")
            return tuple(number(item, spec.kind.removesuffix("s")) for item in items.split(",")) if items else ()
    except (ValueError, KeyError):
        raise ConfigError(refusal(spec, text)) from None
    return text


def typed(key: str, value: Any, market: str) -> Any:
    """A value for a market: the text of a setting whose type differs between markets is read by this market's."""
    spec = field(key, market)
    unread = isinstance(value, str) and field(key).kind == "str" and spec.kind not in ("str", "choice")
    return parse_text(spec, value) if unread else value
