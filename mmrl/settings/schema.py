"""The JSON schema of a TOML file of settings, for editors: `mmrl config --schema`."""

from __future__ import annotations

from typing import Any

from mmrl.settings.fields import FieldSpec, fields
from mmrl.settings.model import GROUPS
from mmrl.settings.registry import markets

DRAFT = "https://json-schema.org/draft/2020-12/schema"
KINDS = {"bool": "boolean", "int": "integer", "float": "number", "str": "string", "choice": "string"}
OTHER = ("origins", "meta", "errors", "source")
"""Tables that are no settings: of the config.toml of a run, and of the market files that `mmrl calibrate` writes."""
BOUNDS = {"ge": "minimum", "gt": "exclusiveMinimum", "le": "maximum", "lt": "exclusiveMaximum"}


def schema() -> dict[str, Any]:
    """Tables of all groups, and settings without a table, as `--config` takes both; of the market those of its name."""
    tables: dict[str, Any] = {}
    for group in GROUPS:
        own = {spec.name: _property(spec) for spec in fields() if spec.group == group}
        tables[group] = {"type": "object", "properties": own, "additionalProperties": False}
    flat = {name: _property(spec) for spec in fields() for name in (spec.option_name, spec.name) if name not in tables}
    return {
        "$schema": DRAFT,
        "title": "Settings of mmrl",
        "type": "object",
        "properties": {**tables, **flat, **{table: {"type": "object"} for table in OTHER}},
        "additionalProperties": False,
        "allOf": [_of_market(name) for name in markets()],
    }


def _of_market(name: str) -> dict[str, Any]:
    """Where the market is named, its table has the settings of that market, with their bounds there."""
    own = {spec.name: _property(spec) for spec in fields(name) if spec.group == "market" and spec.name != "name"}
    table = {"properties": {"name": {"const": name}, **own}, "additionalProperties": False}
    named = {"properties": {"name": {"const": name}}, "required": ["name"]}
    return {
        "if": {"properties": {"market": named}, "required": ["market"]},
        "then": {"properties": {"market": table}},
    }


def _property(spec: FieldSpec) -> dict[str, Any]:
    found: dict[str, Any] = {"description": f"{spec.help}."}
    if not spec.defaults or len(set(map(repr, spec.defaults.values()))) == 1:
        found["default"] = list(spec.default) if isinstance(spec.default, tuple) else spec.default
    if len({*spec.markets}) > 1 and spec.kind == "str":
        return found  # its type differs between markets
    if spec.kind in ("ints", "floats"):
        item = "integer" if spec.kind == "ints" else "number"
        found |= {"type": "array", "items": {"type": item}}
        low, high = spec.length or spec.bounds.get("min_length"), spec.length or spec.bounds.get("max_length")
        found |= {name: int(size) for name, size in (("minItems", low), ("maxItems", high)) if size is not None}
        return found
    found["type"] = KINDS[spec.kind]
    if spec.choices:
        found["enum"] = list(spec.choices)
    if spec.kind == "str":
        sizes = {"minLength": "min_length", "maxLength": "max_length"}
        return found | {name: int(spec.bounds[key]) for name, key in sizes.items() if key in spec.bounds}
    return found | {BOUNDS[key]: bound for key, bound in spec.bounds.items() if key in BOUNDS}
