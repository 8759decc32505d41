"""Which options have no effect beside which others: no command ignores one, it refuses it.

A command whose options do not all work together has rules here. What depends on values of settings is refused where
the settings are read (mmrl/settings/sources.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import typer

Given = Mapping[str, Any]
"""What stands on the command line: options by their first flag, arguments by their name in capitals."""
ALWAYS = ("--debug",)


@dataclass(frozen=True)
class Rule:
    """In a mode some options are idle, or all but the `used` ones where these are named."""

    mode: str
    """As the message says it: "with --quotes"."""
    when: Callable[[Given], bool]
    idle: tuple[str, ...] = ()
    used: tuple[str, ...] = ()

    def refused(self, given: Given) -> str:
        """The first option that does nothing; empty if there is none."""
        if not self.when(given):
            return ""
        if self.used:
            return next((flag for flag in given if flag not in (*self.used, *ALWAYS)), "")
        return next((flag for flag in self.idle if flag in given), "")


def _with(*flags: str) -> Callable[[Given], bool]:
    return lambda given: any(flag in given for flag in flags)


def _without(*flags: str) -> Callable[[Given], bool]:
    return lambda given: not any(flag in given for flag in flags)


def _terminal() -> bool:
    from mmrl.display.choose import draws  # loads what draws, which other commands need not

    return draws()


RULES: dict[str, tuple[Rule, ...]] = {
    "train": (
        Rule(
            "with --plot, which draws and trains nothing",
            _with("--plot", "--good-results"),
            used=("--plot", "--good-results", "--load", "--results"),
        ),
        Rule(
            "with --dry-run, which only prints the settings",
            _with("--dry-run"),
            idle=("--detach", "--force", "--smooth", "--seeds", "--log-to"),
        ),
        Rule(
            "with --seeds, which begins a group of runs or goes on with it by the same command",
            _with("--seeds"),
            idle=("--seed", "--load", "--expand", "--smooth"),
        ),
        Rule("with --json or --detach, which draw no charts", _with("--json", "--detach"), idle=("--smooth",)),
        Rule("without a terminal, where no charts are drawn", lambda given: not _terminal(), idle=("--smooth",)),
    ),
    "plot": (
        Rule(
            "with --what episode or book, which have no metrics",
            lambda given: given.get("--what", "training") != "training",
            idle=("--metric",),
        ),
    ),
    "list": (Rule("with --json, which has all that is known", _with("--json"), idle=("--columns", "--unfold")),),
    "config": (Rule("with --schema, which is that of all settings", _with("--schema"), used=("--schema",)),),
    "export": (
        Rule(
            "with metrics",
            _with("--csv", "--parquet", "--tensorboard"),
            idle=("--epoch", "--onnx", "--torchscript", "--numpy"),
        ),
    ),
    "evaluate": (
        Rule(
            "with --quotes or --save, which draw and play nothing",
            _with("--quotes", "--save"),
            idle=("--trajectories", "--seed", "--max-inventory", "--stochastic"),
        ),
        Rule("with --save, which writes a figure", _with("--save"), idle=("--json",)),
        Rule(
            "without RUN: it says which run plays, or how",
            _without("RUNS"),
            idle=("--epoch", "--stochastic", "--deterministic", "--results"),
        ),
    ),
    "tui": (Rule("without --serve", _without("--serve"), idle=("--port",)),),
    "simulate": (
        Rule(
            "without --run: it says which run plays, or how",
            _without("--run"),
            idle=("--epoch", "--stochastic", "--deterministic", "--results"),
        ),
    ),
    "replay": (
        Rule(
            "with --sweep, which plays the tape alone and again for each value",
            _with("--sweep"),
            idle=("--trajectories", "--name"),
        ),
        Rule(
            "with --sweep latency=..., which sets it",
            lambda given: str(given.get("--sweep", "")).startswith("latency="),
            idle=("--latency-ms",),
        ),
        Rule(
            "with --sweep queue=..., which sets it",
            lambda given: str(given.get("--sweep", "")).startswith("queue="),
            idle=("--queue",),
        ),
        Rule(
            "with --sweep and --json, which prints all numbers",
            lambda given: "--sweep" in given and "--json" in given,
            idle=("--save",),
        ),
    ),
    "calibrate": (
        Rule(
            "with --check, which fits nothing new",
            _with("--check"),
            idle=(
                "--market",
                "--queue-sizes",
                "--exponentials",
                "--hawkes-kinds",
                "--efficient-price",
                "--half-hour",
                "--output",
                "--force",
            ),
        ),
        Rule("without --check", _without("--check"), idle=("--seed",)),
        Rule("without --output", _without("--output"), idle=("--force",)),
    ),
}
"""By the name of the command."""


def given_of(ctx: typer.Context) -> dict[str, Any]:
    """What the user wrote, not what is a default or comes from the environment."""
    found: dict[str, Any] = {}
    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(parameter.name or "")
        if source is None or source.name != "COMMANDLINE":
            continue
        value = ctx.params.get(parameter.name or "")
        if parameter.param_type_name == "argument":
            found[(parameter.name or "").upper()] = value
            continue
        off = value is False and bool(parameter.secondary_opts)
        found[_long(parameter.secondary_opts if off else parameter.opts)] = value
    return found


def refuse_elsewhere(ctx: typer.Context) -> None:
    """Raise ConfigError for a folder of results beside runs that are named as paths, which lie in other folders."""
    given = given_of(ctx)
    if "--results" not in given:
        return
    named = [given[name] for name in ("RUN", "RUNS", "--load", "--run") if given.get(name)]
    runs = [run for item in named for run in (item if isinstance(item, list | tuple) else [item])]
    root = os.path.realpath(given["--results"])
    elsewhere = [run for run in runs if os.sep in run and os.path.realpath(os.path.dirname(run)) != root]
    if elsewhere and len(elsewhere) == len(runs):
        from mmrl.settings.errors import ConfigError

        raise ConfigError(f"--results {given['--results']} has no effect beside {elsewhere[0]}, a path: drop one")


def _long(flags: list[str]) -> str:
    return next((flag for flag in flags if flag.startswith("--")), flags[0])


def refuse_idle(ctx: typer.Context) -> None:
    """Raise ConfigError for an option on the command line that does nothing beside the others."""
    given = given_of(ctx)
    for rule in RULES.get(ctx.command.name or "", ()):
        flag = rule.refused(given)
        if flag:
            from mmrl.settings.errors import ConfigError

            raise ConfigError(f"{flag} has no effect {rule.mode}: drop {flag}")
