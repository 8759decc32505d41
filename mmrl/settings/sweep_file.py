"""The spec of a sweep: a TOML file of the settings that stay, those that are searched, and what is to be maximised.

preset = "avellaneda-stoikov"   # or market_file = "amzn.toml"; both may be left out
objective = "optimality"            # any metric of docs/metrics.md; "-value_loss" minimises
take = "best"                       # of a trial's epochs: best, last, or tail (mean of the last tenth)
trials = 40
prune = true                        # stop trials below the median of the others at their epoch

[settings]
ne = 60

[search]
lr = { low = 1e-4, high = 0.1, log = true }
minibatches = { low = 1, high = 8 }
noclip = [true, false]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain, product
from pathlib import Path
from typing import Any

from mmrl.settings.declare import When
from mmrl.settings.errors import ConfigError, brief, choose
from mmrl.settings.fields import NAME, FieldSpec, field, values_of, without_effect
from mmrl.settings.files import parsed, read_text
from mmrl.settings.goal import Goal, goal_of, typed
from mmrl.settings.market_file import MarketFile, read_market_file
from mmrl.settings.model import Config
from mmrl.settings.sources import fitted_preset, refuse_unused, replaced, resolve

KEYS = ("preset", "market_file", "objective", "take", "trials", "prune", "settings", "search")
NOT_SET = {
    "run.name": "trials have the name of the spec and a number",
    "run.results": "trials lie in the folder that --results names",
}
"""Settings that a spec may not have, each with the reason."""
MOST_TRIALS = 100_000
MOST, MOST_STEPS = 1e300, 1e9
"""Of a range: its numbers, and its steps, which Optuna counts in decimals of 28 digits."""
Value = bool | int | float | str


@dataclass(frozen=True)
class Dimension:
    """One setting that is searched: a range, or some choices."""

    key: str
    choices: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0
    step: float | None = None
    log: bool = False
    whole: bool = False
    """Whether its values are whole numbers."""

    @property
    def values(self) -> Sequence[Value]:
        """All its values where they can be counted, else the ends of its range."""
        if self.whole:
            return range(int(self.low), int(self.high) + 1, int(self.step or 1))
        return self.choices or (self.low, self.high)


@dataclass(frozen=True)
class Sweep:
    """A spec as it is used."""

    name: str
    text: str
    goal: Goal
    trials: int
    prune: bool
    base: Config
    origins: dict[str, str]
    fitted: MarketFile | None
    search: tuple[Dimension, ...]

    def config(self, values: Mapping[str, Value]) -> Config:
        """The settings of a trial."""
        return replaced(self.base, values)


def read_sweep(path: str, results: str) -> Sweep:
    """The spec in a file. Raises ConfigError naming the file, the key, and what is allowed."""
    path, text = read_text(path, "SPEC")
    table = parsed(text, path)
    try:
        return _read(Path(path).stem, text, table, results, Path(path).parent)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None


def _read(name: str, text: str, table: Mapping[str, Any], results: str, place: Path) -> Sweep:
    for key in table:
        if key not in KEYS:
            raise ConfigError(f"unknown key '{key}': there are {choose(key, KEYS).removeprefix('one of ')}")
    goal = goal_of(table)
    trials = typed(table, "trials", int, 20)
    if not 1 <= trials <= MOST_TRIALS:
        raise ConfigError(f"trials = {brief(trials)} is not allowed: it must be >= 1 and <= {MOST_TRIALS}")
    settings = _settings(typed(table, "settings", dict, {}))
    preset, file = (typed(table, key, str, "") if key in table else None for key in ("preset", "market_file"))
    # of an empty name too, which neither of them has
    fitted = fitted_preset(preset) if preset is not None else None
    if file is not None and not file.strip():
        raise ConfigError("market_file = '' is not allowed: name a file, or drop it")
    fitted = read_market_file(place / file, "market_file =") if file is not None else fitted
    base, origins = resolve(settings, None, preset, {}, fitted if file else None, without_effect_too=True)
    search = typed(table, "search", dict, {})
    if not search:
        raise ConfigError("it has no [search]: name the settings to search, such as lr = { low = 1e-4, high = 0.1 }")
    dimensions = tuple(_dimension(key, value, base) for key, value in search.items())
    twice = [d.key for d in dimensions if d.key in settings or sum(e.key == d.key for e in dimensions) > 1]
    if twice:
        raise ConfigError(f"{twice[0]} is given twice: keep it in [search] or in [settings]")
    for dimension in dimensions:
        for value in (dimension.values[0], dimension.values[-1]) if dimension.whole else dimension.values:
            replaced(base, {dimension.key: value})
    _refuse_without_effect(base, origins, dimensions)
    return Sweep(
        name, text, goal, trials, typed(table, "prune", bool, True), replaced(base, {"run.results": results}),
        {key: "sweep" if origin == "flag" else origin for key, origin in origins.items()}, fitted, dimensions,
    )  # fmt: skip


def _settings(table: Mapping[str, Any]) -> dict[str, Any]:
    """What all trials have, by dotted key."""
    settings: dict[str, Any] = {}
    for name, value in table.items():
        key = field(name).key
        if key in NOT_SET:
            raise ConfigError(f"settings.{name} = {brief(value)} is not allowed: {NOT_SET[key]}: drop it")
        if key in settings:
            raise ConfigError(f"settings.{name} = {brief(value)}: {key} is given twice: keep one")
        settings[key] = _plain(value)
    return settings


def _refuse_without_effect(base: Config, origins: Mapping[str, str], dimensions: Sequence[Dimension]) -> None:
    """Raise ConfigError on a setting that does nothing in any trial; one of a market file is noted."""
    values, market, unused = values_of(base), base.market.name, dict[str, When]()
    searched = {dimension.key: dimension for dimension in dimensions}
    for key in (*searched, *origins):
        deciding = searched.keys() & set(chain(*(condition.keys() for condition in field(key, market).when)))
        chosen = [dict(zip(deciding, each, strict=True)) for each in product(*(searched[d].values for d in deciding))]
        missed = [without_effect({**values, **trial}, market).get(key) for trial in chosen]
        if missed[0] is not None and None not in missed:
            unused[key] = missed[0]
    for key in (key for key in unused if key in searched):
        remedy = f"drop it, or change {' or '.join(unused[key].keys())}"
        raise ConfigError(f"[search] {key} has no effect: {unused[key].otherwise}: {remedy}")
    refuse_unused(unused, values, origins)


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _dimension(key: str, value: Any, base: Config) -> Dimension:
    spec = field(key, base.market.name)
    if spec.group == "run" or spec.key == NAME:
        remedy = f"{NOT_SET[spec.key]}: drop it" if spec.key in NOT_SET else "set it in [settings], for all trials"
        raise ConfigError(f"search.{key}: {spec.key} cannot be searched: {remedy}")
    if isinstance(value, list):
        if len(value) < 2 or any(not isinstance(item, bool | int | float | str) for item in value):
            raise ConfigError(f"search.{key} = {brief(value)} is not allowed: list two or more plain values")
        return Dimension(spec.key, _choices(key, spec, value))
    if not isinstance(value, dict) or not {"low", "high"} <= set(value) <= {"low", "high", "log", "step"}:
        raise ConfigError(
            f"search.{key} = {brief(value)} is not allowed: write {{ low = ..., high = ... }} with log = true or "
            "step = ... as you like, or a list of choices"
        )
    return _range(key, spec, value)


def _choices(key: str, spec: FieldSpec, value: Sequence[Value]) -> tuple[Value, ...]:
    found: dict[tuple[type, Value], Value] = {}
    for item in value:
        choice = float(item) if spec.kind == "float" and type(item) is int else item
        if (type(choice), choice) in found:
            raise ConfigError(f"search.{key} = {brief(value)} is not allowed: {brief(item)} is listed twice: keep one")
        found[type(choice), choice] = choice
    return tuple(found.values())


def _range(key: str, spec: FieldSpec, value: Mapping[str, Any]) -> Dimension:
    whole, log, step = spec.kind == "int", value.get("log", False), value.get("step")
    if spec.kind not in ("int", "float"):
        raise ConfigError(f"search.{key}: {spec.key} is no number: list its choices")
    kinds = int if whole else (int, float)
    numbers = [value["low"], value["high"], *([step] if step is not None else [])]
    if any(isinstance(n, bool) or not isinstance(n, kinds) for n in numbers) or not isinstance(log, bool):
        raise ConfigError(
            f"search.{key}: low, high and step must be {'whole ' if whole else ''}numbers, log a truth value"
        )
    low, high = numbers[:2]
    if low != low or high != high:
        ends = f"low = {brief(low)}, high = {brief(high)}"
        raise ConfigError(f"search.{key}: {ends} are not allowed: {spec.key} must be {spec.allowed}")
    if not low < high:
        raise ConfigError(f"search.{key}: low = {brief(low)} must be below high = {brief(high)}")
    huge = next((n for n in numbers if not abs(n) <= MOST), None)
    if huge is not None:
        raise ConfigError(f"search.{key} = {brief(huge)} is not allowed: it must be a number within {MOST:g}")
    if log and (low <= 0 or step is not None):
        raise ConfigError(f"search.{key}: log = true needs low > 0 and no step")
    if step is not None and not 0 < step <= high - low:
        raise ConfigError(f"search.{key}: step = {brief(step)} must be > 0 and at most high - low")
    if step is not None and (high - low) / step > MOST_STEPS:
        raise ConfigError(f"search.{key}: step = {step} makes more than {MOST_STEPS:g} steps: drop it")
    rest = (Decimal(str(high)) - Decimal(str(low))) % Decimal(str(step)) if step is not None else 0
    if rest:
        last = Decimal(str(high)) - rest
        raise ConfigError(
            f"search.{key}: high = {high} is no whole number of steps = {step} from low: write high = {last}"
        )
    return Dimension(spec.key, (), low, high, step, log, whole)
