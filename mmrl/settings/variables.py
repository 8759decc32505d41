"""Settings from variables of the environment, MMRL_ and the name of the flag: read by `mmrl train` for new runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mmrl.settings.errors import ConfigError, note, suggestion
from mmrl.settings.fields import elsewhere, field, fields, parse_text, typed, values_of
from mmrl.settings.model import GROUPS, Config
from mmrl.settings.upgrade import current, old_flags

RESULTS = "run.results"
PREFIX = "MMRL_"
NO_SETTINGS = (
    "MMRL_DETACHED_LOG",
    "MMRL_CALLED_AS",
    "MMRL_LOCK",
    "MMRL_CHARS",
    "MMRL_DATA",
    "MMRL_FAULTS",
    "MMRL_KILLS",
    "MMRL_BENCHMARK_REPORTS",
)
"""Variables that mean something else: to the program, to its tests and benchmarks."""


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The key of each variable that is a setting, old ones included; raises ConfigError if there is another one."""
    known = {f"{PREFIX}{flag.lstrip('-').replace('-', '_').upper()}": key for flag, key in old_flags().items()}
    known |= {spec.variable: spec.key for spec in fields()}
    for variable in environ:
        if variable.startswith(PREFIX) and variable not in known and variable not in NO_SETTINGS:
            name = variable.removeprefix(PREFIX)
            close = suggestion(name, [other.removeprefix(PREFIX) for other in known]).replace("'", f"'{PREFIX}", 1)
            remedy = elsewhere(name, "variable") or close or ": unset it"
            raise ConfigError(f"unknown variable {variable}{remedy}")
    return known


def read_environment(environ: Mapping[str, str]) -> dict[str, tuple[str, Any]]:
    """Values of MMRL_* variables by dotted key, old ones included, each with its variable; unknown ones are refused."""
    found: dict[str, tuple[str, Any]] = {}
    for variable, key in variables(environ).items():
        if environ.get(variable, "") != "":
            try:
                found[key] = variable, parse_text(field(key), environ[variable])
            except ConfigError as error:
                raise ConfigError(f"{variable}: {error}") from None
    return found


def note_unused(
    environ: Mapping[str, str], used: Config, given: Mapping[str, Any], why: str, groups: Sequence[str] = tuple(GROUPS)
) -> None:
    """Say which variables do nothing beside the settings that are `used`, and why.

    `given` are the flags by key. What these set, what is so anyway and what is of other `groups` need not be said.
    """
    market, values = used.market.name, values_of(used)
    for key, (variable, value) in read_environment(environ).items():
        for name, wanted in current({key: value}, market, variable).items():
            if name == RESULTS or name in given or name.partition(".")[0] not in groups:
                continue
            if name not in values or typed(name, wanted, market) != values[name]:
                note(f"{variable} is not used: {why}")
