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

from mmrl.settings.declare import ConfigError, choose, note
from mmrl.settings.market import MarketSettings

BUILT_IN = "mmrl.markets"
GROUP = "mmrl.markets"


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


def part(market: str, file: str) -> ModuleType | None:
    """A file of a market's folder as a module, e.g. part("NAME", "spec"); None where the market has none.

    Raises ConfigError on an unknown market, or one whose package cannot be imported.
    """
    if market not in packages():
        raise ConfigError(f"market.name = {market!r} is not allowed: it must be {choose(market, packages())}")
    package = packages()[market]
    name = f"{package}.{file}"
    try:
        if find_spec(name) is None:
            return None
        return import_module(name)
    except ImportError as error:
        raise ConfigError(f"market {market} ({package}) cannot be imported: {error}") from None


@cache
def settings_class(market: str) -> type[MarketSettings]:
    """The class of a market's settings."""
    module = part(market, "settings")
    if module is None:
        raise ConfigError(f"market {market} ({packages()[market]}) has no file settings.py")
    found: type[MarketSettings] = module.Settings
    return found


@cache
def markets() -> tuple[str, ...]:
    """Names of the markets that can be used, the default first; what cannot be imported is left out with a note."""
    usable = []
    for name in packages():
        try:
            settings_class(name)
            usable.append(name)
        except Exception as error:  # whatever a package of others raises must not take the command line down
            note(f"market {name} is left out: {error}")
    return tuple(usable)
