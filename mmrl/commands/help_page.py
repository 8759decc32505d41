"""The help page of a command: options in two columns, broken at blanks only, those of daily use first.

Typer's own page cuts a list of choices in the middle of a word, and shows all options at once.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any, ClassVar

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_command_from_info, get_command_name, get_group

from mmrl.commands.command_line import check
from mmrl.commands.modes import refuse_elsewhere
from mmrl.commands.surroundings import check_room, check_variables, while_somebody_reads
from mmrl.plots.output import holdable, terminal_size
from mmrl.plots.streams import wants_colour
from mmrl.plots.text import wrapped

NARROWEST, WIDEST = 40, 100
FLAGS = 24
"""Columns of the flags; longer ones have a line of their own."""
OWN = "Options"
METAVARS = {"int": "INTEGER", "float": "NUMBER", "ints": "N,N,...", "floats": "X,X,...", "str": "TEXT"}
LONGEST_METAVAR = 16
"""Letters of choices that stand beside a flag; more of them stand in the text."""

Row = tuple[str, str]


class Paged:
    """A command whose help is such a page."""

    daily: ClassVar[Sequence[str]] = ()
    """Flags of daily use: all that --help shows, with the rest behind --help-all. Empty: it shows all."""

    def get_params(self, ctx: Any) -> Any:
        """As typer does, but for what needs no conversion."""
        found = super().get_params(ctx)  # type: ignore[misc]
        for parameter in found:
            _spare(parameter)
        return found

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the page for the terminal."""
        formatter.write(_shown(self, ctx) + "\n")

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        """As Click does, but for words that it would misread."""
        if not ctx.resilient_parsing:  # else a line is being completed
            options = {
                flag: option
                for option in _of_kind(self, ctx, "option", hidden=True)
                for flag in (*option.opts, *option.secondary_opts)
            }
            check(options, args, ctx.allow_interspersed_args)
        return super().parse_args(ctx, args)  # type: ignore[misc]


class Command(Paged, TyperCommand):
    """A command."""

    def invoke(self, ctx: Any) -> Any:
        """As typer does, in an environment that holds nothing unknown; help needs no such."""
        check_variables()
        check_room(str(self.name))
        refuse_elsewhere(ctx)
        return super().invoke(ctx)


def _spare(parameter: Any) -> None:
    """Take what was not given, a single text and a flag as they are: typer would load pydantic to turn a text into a
    text, which takes longer than most commands."""
    described = getattr(parameter, "type_descriptor", None)  # not in every version of typer
    if described is None or parameter.required or "process_value" in vars(parameter):
        return
    usual, several = type(parameter).process_value, parameter.multiple or parameter.nargs != 1
    kind = described.annotation if described.annotation in (str, bool) and not several else None

    def process_value(ctx: Any, value: Any) -> Any:
        if value is not None and not (kind and isinstance(value, kind)):
            return usual(parameter, ctx, value)
        value = () if value is None and several else value
        return value if parameter.callback is None else parameter.callback(ctx, parameter, value)

    parameter.process_value = process_value


class Group(Paged, TyperGroup):
    """A command that has commands."""

    def make_context(self, *args: Any, **kwargs: Any) -> Any:
        """As typer does, which shows help pages here."""
        with while_somebody_reads():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: Any) -> Any:
        """As typer does."""
        with while_somebody_reads():
            return super().invoke(ctx)

    def list_commands(self, ctx: Any) -> list[str]:
        """Their names, in the order of their creation; none of them is made."""
        return list(self.commands)


class Commands(Mapping[str, Any]):
    """Commands by name, each made when it is asked for: making all of them takes longer than most of them work."""

    def __init__(self, app: App) -> None:
        self.infos: dict[str, Any] = {named(info): info for info in app.registered_commands}
        self.groups: dict[str, Any] = {str(info.name): info for info in app.registered_groups}
        self.made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self.made:
            self.made[name] = self._make(name)
        return self.made[name]

    def _make(self, name: str) -> Any:
        if name in self.groups:
            info = self.groups[name]
            group = info.typer_instance.program()
            group.name, group.help = name, info.help if isinstance(info.help, str) else group.help
            return group
        return get_command_from_info(self.infos[name], pretty_exceptions_short=True, rich_markup_mode=None)

    def __iter__(self) -> Iterator[str]:
        return iter((*self.infos, *self.groups))

    def __len__(self) -> int:
        return len(self.infos) + len(self.groups)

    def about(self) -> list[Row]:
        """Names and helps of those that are not hidden."""
        found = [(name, info.help, info.hidden) for name, info in self.infos.items()]
        found += [(name, self[name].help, False) for name in self.groups]
        return [(name, str(text or "")) for name, text, hidden in found if hidden is not True]


def named(info: Any) -> str:
    """The name of a command."""
    return str(info.name or get_command_name(info.callback.__name__))


class App(typer.Typer):
    """A program, all of whose commands have such pages."""

    def __init__(self, **about: Any) -> None:
        super().__init__(cls=Group, rich_markup_mode=None, **about)

    def command(self, name: str | None = None, *, cls: Any = None, **about: Any) -> Any:
        """Add a command."""
        return super().command(name, cls=cls or Command, **about)

    def program(self) -> Any:
        """What runs a command line; a command's options are made when the command is asked for."""
        bare = copy(self)
        bare.registered_commands, bare.registered_groups = [], []
        group: Any = get_command(bare) if bare.registered_callback else get_group(bare)
        group.commands = Commands(self)
        return group


def show_all(ctx: Any, wanted: bool) -> None:
    """The callback of --help-all."""
    if wanted and not ctx.resilient_parsing:
        typer.echo(_shown(ctx.command, ctx, everything=True))
        raise typer.Exit


def _shown(command: Any, ctx: Any, everything: bool = False) -> str:
    """The page as standard output can show it, to which typer writes UTF-8 whatever its encoding."""
    columns = min(max(terminal_size(80)[0], NARROWEST), WIDEST)
    return holdable(page(command, ctx, columns, everything, wants_colour(sys.stdout)), sys.stdout)


def page(command: Any, ctx: Any, columns: int, everything: bool = False, colour: bool = False) -> str:
    """The text of a command's page, at most so many columns wide."""
    lines = [_bold("Usage:", colour) + " " + _usage(command, ctx), ""]
    for paragraph in (command.help or "").split("\n\n"):
        lines += [*wrapped(paragraph, columns), ""]
    for title, rows in _sections(command, ctx, everything):
        lines.append(_bold(title, colour))
        for name, text in rows:
            lines += two_columns(name, text, columns, colour)
        lines.append("")
    hidden = 0 if everything else _left_out(command, ctx)
    if hidden:
        lines += [*wrapped(f"{ctx.command_path} --help-all lists the other {hidden} options.", columns), ""]
    if command.epilog:
        title, examples = _examples(command.epilog)
        lines.append(_bold(title, colour))
        for example in examples:
            lines += _shell(example, columns)
    return "\n".join(lines).rstrip()


def _usage(command: Any, ctx: Any) -> str:
    words = [ctx.command_path, "[OPTIONS]"]
    for argument in _of_kind(command, ctx, "argument"):
        name = argument.metavar or argument.name.upper()
        words.append(name if argument.required else f"[{name}]")
    return " ".join([*words, *(["COMMAND"] if hasattr(command, "commands") else [])])


def _of_kind(command: Any, ctx: Any, kind: str, hidden: bool = False) -> list[Any]:
    found = [p for p in command.get_params(ctx) if p.param_type_name == kind]
    return [p for p in found if hidden or not getattr(p, "hidden", False)]


def _daily(command: Any, option: Any) -> bool:
    shown = (*command.daily, "--help", "--help-all")
    return not command.daily or any(flag in shown for flag in option.opts)


def _left_out(command: Any, ctx: Any) -> int:
    return sum(not _daily(command, option) for option in _of_kind(command, ctx, "option"))


def _sections(command: Any, ctx: Any, everything: bool) -> Iterator[tuple[str, list[Row]]]:
    """Titles with what stands below them: arguments, commands, options of daily use, the others by their panel."""
    arguments = [(a.metavar or a.name, a.help) for a in _of_kind(command, ctx, "argument") if a.help]
    if arguments:
        yield "Arguments", arguments
    if hasattr(command, "commands"):
        yield "Commands", [(name, text.split("\n\n")[0]) for name, text in command.commands.about()]
    options = _of_kind(command, ctx, "option")
    first = [option for option in options if _daily(command, option)]
    if command.daily:
        order = [*command.daily, "--help", "--help-all"]
        first.sort(key=lambda option: min(order.index(flag) for flag in option.opts if flag in order))
    panels: dict[str, list[Row]] = {OWN: [_row(option, ctx) for option in first]}
    for option in options if everything else ():
        if option not in first:
            panels.setdefault(option.rich_help_panel or "More options", []).append(_row(option, ctx))
    yield from panels.items()


def _row(option: Any, ctx: Any) -> Row:
    """The flags of an option with its value, and what it does."""
    name, text = option.get_help_record(ctx)
    text = re.sub(r"\s+\[([^\[\]]*)\]$", lambda found: f" ({_range(found.group(1))})", text)
    flags, _, kind = name.partition(" <")
    if not kind:
        return name, text
    kind = kind.rstrip(">").removesuffix(" range")
    if kind in METAVARS:
        return f"{flags} {METAVARS[kind]}", text
    choices = kind.split("|")
    if len(kind) <= LONGEST_METAVAR:
        return f"{flags} {kind}", text
    return f"{flags} NAME", f"{text} One of {', '.join(choices)}."


def _range(extra: str) -> str:
    """Click's `1<=x<=9` in the form of the settings: >= 1, <= 9."""
    extra = re.sub(r"([\d.e+-]+)<=x<=([\d.e+-]+)", r">= \1, <= \2", extra)
    return re.sub(r"x(>=|<=|<|>)([\d.e+-]+)", r"\1 \2", extra)


def two_columns(name: str, text: str, columns: int, colour: bool) -> list[str]:
    """A name and its text beside it, or below where the name is long."""
    indent = " " * (FLAGS + 2)
    lines = wrapped(text, columns, indent, indent)
    if len(name) > FLAGS - 2 or not lines:
        above = [_bold(line, colour) for line in wrapped(name, columns, "      ", "  ")]
        return [*above, *lines]
    return ["  " + _bold(name, colour) + lines[0][len(name) + 2 :], *lines[1:]]


def _examples(epilog: str) -> tuple[str, list[str]]:
    """Title and lines of an epilog such as "Examples: mmrl a | mmrl b"."""
    title, _, rest = epilog.partition(": ")
    return title, rest.split(" | ")


def _shell(example: str, columns: int) -> list[str]:
    """A command that can be copied whole: where it is too long its lines end as a shell goes on."""
    lines = wrapped(example, columns - 2, "      ", "  ")
    return [line + (" \\" if at < len(lines) - 1 else "") for at, line in enumerate(lines)]


def _bold(text: str, colour: bool) -> str:
    return f"\x1b[1m{text}\x1b[22m" if colour else text
