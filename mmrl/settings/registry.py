"""Which markets there are: the folders of `mmrl.markets`, and those that other packages register.

A package registers a market under the entry point group `mmrl.markets`: `NAME = "package"`, a package with the same
files as a folder of `mmrl/markets` (docs/add-a-market.md).
"""

from __future__ import annotations

import pkgutil
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

from mmrl.settings.errors import ConfigError, brief, choose, note
from mmrl.settings.groups import REST
from mmrl.settings.market import MarketSettings

BUILT_IN = "mmrl.markets"
GROUP = "mmrl.markets"
COMMAND_FLAGS = (
    *("--preset", "--config", "--load", "-l", "--expand", "--plot", "-p", "--good-results", "--dry-run", "--detach"),
    *(
        "--market-file",
        "--seeds",
        "--log-to",
        "--force",
        "--smooth",
        "--json",
        "--debug",
        "--set",
        "--help",
        "-h",
        "--help-all",
    ),
)
"""Flags of `mmrl train` that are no settings."""


@cache
def packages() -> dict[str, str]:
    """Import paths of the markets by name, the default market first, registered ones last. Imports none of them."""
    spec = find_spec(BUILT_IN)
    places = spec.submodule_search_locations if spec else None
    own = [module.name for module in pkgutil.iter_modules(places) if module.ispkg]
    found = {folder.replace("_", "-"): f"{BUILT_IN}.{folder}" for folder in own}
    default = next((name for name in found if getattr(import_module(found[name]), "DEFAULT", False)), "")
    found = {name: found[name] for name in sorted(found, key=lambda name: name != default)}
    for point in _entry_points():
        found.setdefault(point.name, point.value.partition(":")[0])
    return found


def _entry_points() -> Any:
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


def default_market() -> str:
    """The market that is traded in when none is named."""
    return next(iter(packages()))


@cache
def part(market: str, file: str) -> ModuleType | None:
    """A file of a market's folder as a module, e.g. part("NAME", "spec"); None where the market has none.

    Raises ConfigError on an unknown market, or one whose package cannot be imported.
    """
    if market not in packages():
        raise ConfigError(_no_market(market))
    package = packages()[market]
    name = f"{package}.{file}"
    try:
        return import_module(name) if find_spec(name) is not None else None
    except Exception as error:  # a package of others may raise anything
        raise ConfigError(f"market {market} ({package}) cannot be imported: {_reason(error)}") from None


def settings_class(market: str) -> type[MarketSettings]:
    """The class of a market's settings; raises ConfigError for a market that is unknown or left out."""
    if not isinstance(market, str):  # from a file, or from Python
        raise ConfigError(_no_market(market))
    if market in left_out():
        raise ConfigError(left_out()[market])
    return declared(market)


def _no_market(name: Any) -> str:
    known = choose(name, markets())
    more = "" if "did you mean" in known else "; one of another package needs that package installed"
    return f"market.name = {brief(name)} is not allowed: it must be {known}{more}"


@cache
def markets() -> tuple[str, ...]:
    """Names of the markets that can be used, the default first."""
    return tuple(name for name in packages() if name not in left_out())


@cache
def left_out() -> dict[str, str]:
    """Markets that cannot be used, each with the reason. The first call notes it, and all else works without them."""
    reasons: dict[str, str] = {}
    taken = dict.fromkeys(COMMAND_FLAGS, "mmrl train")
    for name in packages():
        try:
            taken = _with_flags(name, taken)
        except Exception as error:
            known = isinstance(error, ConfigError) and str(error).startswith("market ")
            where = f"market {name} ({packages()[name]})"
            reasons[name] = str(error) if known else f"{where} cannot be used: {_reason(error)}"
    for reason in reasons.values():
        note(f"{reason}: it is left out")
    return reasons


@cache
def declared(market: str) -> type[MarketSettings]:
    """The class of settings in a market's folder, whether the market can be used or not; raises ConfigError."""
    module = part(market, "settings")
    if module is None:
        raise ConfigError("it has no file settings.py")
    found: type[MarketSettings] = module.Settings
    if found.model_fields["name"].default != market:
        raise ConfigError(f"its settings name it {found.model_fields['name'].default!r}")
    return found


def _with_flags(market: str, taken: dict[str, str]) -> dict[str, str]:
    """Flags with the dotted keys that they set, those of a market's runs added; raises ConfigError if one is taken."""
    flags = dict(taken)
    for group, model in (*REST.items(), ("market", declared(market))):
        for name, info in model.model_fields.items():
            extra: Any = info.json_schema_extra
            if extra is None or not info.description:
                raise ConfigError(f"its setting {name} is not declared by option(default, help)")
            own = extra["flags"] or ["--" + name.replace("_", "-")]
            for flag in (*own, *extra["switches"]):
                if flags.setdefault(flag, f"{group}.{name}") != f"{group}.{name}":
                    raise ConfigError(f"{group}.{name} has the flag {flag} of {flags[flag]}")
    return flags


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, ConfigError | ImportError) else f"{type(error).__name__}: {text}"
