"""What is special about a run: the settings that depart from the preset it began with, or from the defaults."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import values_of
from mmrl.settings.sources import StoredConfig, resolve

PRESET = "preset "
UNTOLD = ("run.name", "run.results", "market.name")
"""Settings that say where a run is and what it trades on."""


class Departure(NamedTuple):
    """A setting, its value in the run, the usual one (None: there is none), and where the run's comes from."""

    key: str
    value: Any
    usual: Any
    origin: str


def departures(stored: StoredConfig) -> tuple[str, list[Departure]]:
    """The preset that the run began with ("": none that is known), and its settings that depart from it."""
    preset = next((o.removeprefix(PRESET) for o in stored.origins.values() if o.startswith(PRESET)), "")
    try:
        usual = _usual(preset, stored.config.market.name)
    except ConfigError:  # a preset that is no more
        preset, usual = "", {}
    return preset, [
        Departure(key, value, usual.get(key), stored.origins.get(key, ""))
        for key, value in values_of(stored.config).items()
        if key not in UNTOLD and (key not in usual or value != usual[key])
    ]


@lru_cache(32)
def _usual(preset: str, market: str) -> dict[str, Any]:
    """All values of a preset, or the defaults of a market."""
    return values_of(resolve({}, None, preset)[0] if preset else resolve({"market.name": market})[0])
