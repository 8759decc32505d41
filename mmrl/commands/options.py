"""Command options made from the declarations of the settings."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from mmrl.runs.metrics import METRICS
from mmrl.runs.names import good_folder
from mmrl.settings.declare import ConfigError, brief, suggestion
from mmrl.settings.fields import FieldSpec, elsewhere, field, fields, parse_text
from mmrl.settings.files import expanded
from mmrl.settings.registry import markets
from mmrl.settings.sources import presets, set_values
from mmrl.settings.upgrade import old_flags, old_key

OLD = "old"
"""Begins the names of parameters that stand for flags of an earlier version."""
METAVARS = {"int": "INTEGER", "float": "NUMBER", "ints": "N,N,...", "floats": "X,X,...", "str": "TEXT"}
LONGEST_METAVAR = 16
"""Letters of choices that stand beside a flag; more of them stand in the text."""


def with_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command an option for every setting; it receives the given ones as `settings`, by dotted key.

    The command's own parameters stay, and `assignments` is added for --set.
    """

    def wrapper(**arguments: Any) -> Any:
        given = {name: arguments.pop(name) for name in names if name in arguments}
        assignments = arguments.pop("assignments") or []
        return command(settings=chosen(given, assignments), **arguments)

    own = inspect.signature(command, eval_str=True)
    parameters = [p for p in own.parameters.values() if p.name != "settings"]
    generated = [parameter for spec in fields() for parameter in _parameters(spec)]
    generated += [_old_parameter(flag) for flag in old_flags()]
    names = [parameter.name for parameter in generated]
    assignments = typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Set any setting by its name, may be repeated.",
        autocompletion=complete_assignment,
    )
    generated.append(_parameter("assignments", Annotated[list[str] | None, assignments]))
    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    signature = inspect.Signature([p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in parameters + generated])
    wrapper.__signature__ = signature  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in signature.parameters.values()}
    return wrapper


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


def complete_preset(incomplete: str) -> list[str]:
    """Presets whose names begin with what is typed."""
    return [name for name in presets() if name.startswith(incomplete)]


def complete_agent(incomplete: str) -> list[str]:
    """Agents whose names begin with what is typed."""
    from mmrl.agents import AGENTS

    return [name for name in AGENTS if name.startswith(incomplete)]


def complete_metric(incomplete: str) -> list[tuple[str, str]]:
    """Metrics that can be drawn whose names begin with what is typed, each with its sentence."""
    return [(m.name, m.described) for m in METRICS if m.drawn and m.name.startswith(incomplete)]


def complete_run(ctx: typer.Context, incomplete: str) -> list[str]:
    """Runs whose names begin with what is typed, in the folder that the rest of the line names."""
    given = ctx.params.get("results") or ctx.params.get("run_results") or os.environ.get("MMRL_RESULTS") or "results"
    try:
        root = Path(expanded(str(given), "--results"))
        root = good_folder(root) if ctx.params.get("good_results") else root
        found = list(root.iterdir())
    except (OSError, ValueError):  # a half-typed line is not refused
        return []
    return sorted(f.name for f in found if f.name.startswith(incomplete) and (f / "config.toml").is_file())


def complete_market(incomplete: str) -> list[str]:
    """Markets whose names begin with what is typed."""
    return [name for name in markets() if name.startswith(incomplete)]


def complete_settings(ctx: typer.Context, incomplete: str) -> list[str]:
    """What `mmrl config` takes, beside files: runs and presets whose names begin with what is typed."""
    return [*complete_run(ctx, incomplete), *complete_preset(incomplete)]


def complete_assignment(incomplete: str) -> list[tuple[str, str]]:
    """Settings as `--set` takes them, KEY=, by their short and dotted names; after the = the choices."""
    key, equals, typed = incomplete.partition("=")
    if equals:
        found = [spec for spec in fields() if key in (spec.option_name, spec.key)]
        return [
            (f"{key}={choice}", spec.help) for spec in found for choice in _values(spec) if choice.startswith(typed)
        ]
    names = [(name, spec.help) for spec in fields() for name in (spec.option_name, spec.key)]
    return [(f"{name}=", help) for name, help in names if name.startswith(key)]


def _values(spec: FieldSpec) -> tuple[str, ...]:
    return ("true", "false") if spec.kind == "bool" else spec.choices


def known_run(name: str, results: str) -> bool:
    """Whether a folder of runs has one of exactly this name."""
    return "/" not in name and (Path(results) / name / "config.toml").is_file()


def misread_flag(word: str, given: Sequence[str], known: Iterable[str]) -> str:
    """What is wrong with an unknown flag, for words that were typed: Click names only a letter of -nb4, a list of -n.

    `word` is the flag that Click names. A name that other libraries use leads to the one here.
    """
    flags = sorted(known, key=len, reverse=True)
    if word.startswith("--"):
        foreign = elsewhere(word, "long_flag") if field("lr").long_flag in flags else ""
        return f"{word} is no option{foreign or suggestion(word, flags)}"
    typed = [w for w in given if w.startswith("-") and not w.startswith("--") and w.partition("=")[0] not in flags]
    wrong = next((w for w in typed if w.startswith(word[:2])), word)
    joined = next((flag for flag in flags if len(flag) > 2 and flag[1] != "-" and wrong.startswith(flag)), "")
    if joined:
        return f"{wrong} is no option: write {joined} {wrong.removeprefix(joined).lstrip('=')}"
    return f"{wrong} is no option{suggestion(wrong, flags)}"


def misplaced(ctx: typer.Context, words: str) -> str:
    """What words may be that a command with settings has no place for: a preset, a run; empty where it is neither."""
    word = words.split()[0]
    if "load" not in ctx.params:
        return ""
    if word in presets():
        return f"{word} is a preset: write --preset {word}"
    if word in complete_run(ctx, word):
        return f"{word} is a run: write --load {word} to go on with it"
    close = suggestion(word, presets())
    return f"there is no preset {word}" + close.replace("'", "'--preset ", 1) if close else ""


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
