"""Command options made from the declarations of the settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from mmrl.commands.completion import complete_assignment
from mmrl.commands.help_page import LONGEST_METAVAR, METAVARS
from mmrl.settings.errors import ConfigError, brief
from mmrl.settings.fields import FieldSpec, field, fields, parse_text
from mmrl.settings.sources import set_values
from mmrl.settings.upgrade import old_flags, old_key

OLD = "old"
"""Begins the names of parameters that stand for flags of an earlier version."""


def signature_of(command: Callable[..., Any]) -> inspect.Signature:
    """The parameters of a command without `settings`, an option for every setting, and --set as `assignments`."""
    own = inspect.signature(command, eval_str=True)
    parameters = [p for p in own.parameters.values() if p.name != "settings"]
    parameters += [parameter for spec in fields() for parameter in _parameters(spec)]
    parameters += [_old_parameter(flag) for flag in old_flags()]
    assignments = typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set any setting by its name, may be repeated.",
        autocompletion=complete_assignment,
    )
    parameters.append(_parameter("assignments", Annotated[list[str] | None, assignments]))
    return inspect.Signature([p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters])


def called(command: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Call a command with the arguments of such options: it receives the given settings by dotted key."""
    own = inspect.signature(command).parameters
    given = {name: arguments.pop(name) for name in list(arguments) if name not in own}
    assignments = given.pop("assignments") or []
    return command(settings=chosen(given, assignments), **arguments)


def chosen(given: dict[str, Any], assignments: list[str]) -> dict[str, Any]:
    """Values by dotted key from the arguments of generated options and the texts of --set."""
    values: dict[str, Any] = {}
    for name, argument in given.items():
        if argument is None or argument is False:
            continue
        key, _, switch = name.partition("__")
        old = switch if key == OLD else ""
        spec = field(old or key)
        key = old_key(old) or spec.key
        if switch and not old:
            value, flag = spec.switches[_switch(switch)], _switch(switch)
        else:
            value, flag = argument if spec.kind == "bool" else parse_text(spec, argument), spec.flags[0]
        if key in values and values[key] != value:
            raise ConfigError(f"{flag} contradicts {key} = {brief(values[key])}, which is given too: drop one")
        values[key] = value
    for key, value in set_values(assignments).items():
        if key in values and values[key] != value:
            raise ConfigError(f"--set {key} contradicts {key} = {brief(values[key])}, which is given too: drop one")
        values[key] = value
    return values


def _switch(name: str) -> str:
    return "--" + name.replace("_", "-")


def _parameters(spec: FieldSpec) -> list[inspect.Parameter]:
    """The option of a setting, and one flag for its switches (--noppo, -np for algorithm = reinforce)."""
    found = [_parameter(spec.option_name, _annotation(spec))]
    if spec.switches:
        flags = list(spec.switches)
        value = spec.switches[flags[0]]
        option = typer.Option(
            *flags,
            help=f"The same as {spec.flags[0]} {value}.",
            rich_help_panel=spec.panel,
            show_default=False,
            metavar="",
        )
        name = f"{spec.option_name}__{flags[0].lstrip('-').replace('-', '_')}"
        found.append(_parameter(name, Annotated[bool, option], False))
    return found


def _old_parameter(flag: str) -> inspect.Parameter:
    """A flag of an earlier version, which works and is not shown."""
    name = f"{OLD}__{flag.lstrip('-').replace('-', '_')}"
    return _parameter(name, Annotated[str | None, typer.Option(flag, hidden=True)])


def _annotation(spec: FieldSpec) -> Any:
    common: dict[str, Any] = {"rich_help_panel": spec.panel, "show_default": False}
    about = f"default: {spec.shown_default}"
    metavar = METAVARS.get(spec.kind, "|".join(spec.choices))
    if len(metavar) > LONGEST_METAVAR:
        metavar, about = "NAME", f"{spec.allowed}; {about}"
    if spec.range:
        about += f"; {spec.range}"
    help = f"{spec.help}. ({about})"
    if spec.kind == "bool":
        return Annotated[bool, typer.Option(*spec.flags, help=f"{spec.help}. (default: off)", metavar="", **common)]
    if spec.choices:
        common["autocompletion"] = _completer(spec.choices)
    return Annotated[str | None, typer.Option(*spec.flags, help=help, metavar=metavar, **common)]


def _completer(choices: tuple[str, ...]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [choice for choice in choices if choice.startswith(incomplete)]

    return complete


def _parameter(name: str, annotation: Any, default: Any = None) -> inspect.Parameter:
    if annotation.__origin__ is bool:
        default = False
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
