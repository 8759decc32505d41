"""The declarations of `mmrl.settings.model` as a flat list: what command line, files and forms are made from."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from mmrl.settings.model import GROUPS, Config, ConfigError


@dataclass(frozen=True)
class FieldSpec:
    """One hyperparameter: where it lives, its type, bounds, help and flags."""

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

    @property
    def key(self) -> str:
        """Dotted key, as in `training.lr`."""
        return f"{self.group}.{self.name}"

    @property
    def option_name(self) -> str:
        """Name that is unique without its group: the first long flag without its dashes."""
        return self.flags[-1 if not self.flags[0].startswith("--") else 0].lstrip("-").replace("-", "_")

    @property
    def variable(self) -> str:
        """Environment variable that sets it."""
        return f"MMRL_{self.option_name.upper()}"

    @property
    def range(self) -> str:
        """Bounds as text, e.g. `> 0, <= 1`; empty where there are none."""
        signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
        return ", ".join(f"{sign} {_number(self.bounds[name])}" for name, sign in signs.items() if name in self.bounds)

    @property
    def allowed(self) -> str:
        """What a value must be, in words."""
        if self.kind == "choice":
            return "one of " + ", ".join(self.choices)
        if self.kind in ("ints", "floats"):
            what = "whole numbers" if self.kind == "ints" else "numbers"
            low, high = self.bounds.get("min_length", 0), self.bounds.get("max_length", 0)
            return f"a list of {self.length if self.length else f'{low:g} to {high:g}'} {what}"
        if self.kind == "str":
            low, high = self.bounds.get("min_length", 0), self.bounds.get("max_length", 0)
            return f"text of {low:g} to {high:g} characters"
        noun = {"bool": "true or false", "int": "a whole number", "float": "a number"}[self.kind]
        return noun + (f" {self.range}" if self.range else "")

    @property
    def shown_default(self) -> str:
        """Default as one would type it."""
        return shown(self.default)


def shown(value: Any) -> str:
    """A value as one would type it on the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple | list):
        return ",".join(shown(item) for item in value)
    return str(value) if value != "" else "empty"


def refusal(spec: FieldSpec, value: Any) -> str:
    """The line that refuses a value: field, value, what is allowed, default."""
    text = "not a finite number" if isinstance(value, float) and not math.isfinite(value) else repr(value)
    return f"{spec.key} = {text} is not allowed: it must be {spec.allowed}; the default is {spec.shown_default}"


def _number(bound: float) -> str:
    return str(bound) if isinstance(bound, int) else f"{bound:g}"


def _spec(group: str, name: str, info: FieldInfo) -> FieldSpec:
    annotation: Any = info.annotation
    choices: tuple[str, ...] = ()
    length = None
    if get_origin(annotation) is tuple:
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
    extra = info.json_schema_extra
    assert isinstance(extra, dict)
    declared: Any = extra["flags"]
    switches: Any = extra["switches"]
    flags = tuple(declared) or ("--" + name.replace("_", "-"),)
    return FieldSpec(
        group,
        name,
        kind,
        info.default,
        info.description or "",
        flags,
        dict(switches),
        choices,
        bounds,
        length,
    )


@cache
def fields() -> tuple[FieldSpec, ...]:
    """Every hyperparameter in order of declaration."""
    return tuple(
        _spec(group, name, info) for group, model in GROUPS.items() for name, info in model.model_fields.items()
    )


@cache
def _names() -> dict[str, FieldSpec]:
    return {name: spec for spec in fields() for name in (spec.key, spec.option_name)}


def field(name: str) -> FieldSpec:
    """Find a hyperparameter by `training.lr` or just `lr`; raises ConfigError with a suggestion."""
    found = _names().get(name) or _names().get(name.lstrip("-").replace("-", "_"))
    if found is None:
        raise ConfigError(f"unknown key '{name}'" + suggestion(name, _names()))
    return found


def suggestion(name: str, known: Iterable[str]) -> str:
    """A did-you-mean for the end of a message."""
    close = difflib.get_close_matches(name, list(known), 1, 0.6)
    return f": did you mean '{close[0]}'?" if close else ": `mmrl train --help` lists them"


def value_of(config: Config, spec: FieldSpec) -> Any:
    """The value that `config` gives to a hyperparameter."""
    return getattr(getattr(config, spec.group), spec.name)


def parse_text(spec: FieldSpec, text: str) -> Any:
    """Read a value from text (environment, --set, forms); what cannot be read raises ConfigError."""
    words = {
        "true": True,
        "yes": True,
        "1": True,
        "on": True,
        "false": False,
        "no": False,
        "0": False,
        "off": False,
    }
    try:
        if spec.kind == "bool":
            return words[text.strip().lower()]
        if spec.kind in ("int", "float"):
            return int(text) if spec.kind == "int" else float(text)
        if spec.kind in ("ints", "floats"):
            number = int if spec.kind == "ints" else float
            return tuple(number(part) for part in text.strip().strip("[]()").split(",") if part.strip())
    except (ValueError, KeyError):
        raise ConfigError(refusal(spec, text)) from None
    return text
