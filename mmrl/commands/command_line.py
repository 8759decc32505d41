"""The words of a command line before Click reads them: what it would read otherwise than it is meant is refused.

Click takes `-lr0.1` for `-l r0.1`, names one letter of `-nb4`, and keeps the last of an option that is given twice, as
scripts want that change what they begin with; here that is noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import typer

from mmrl.commands.completion import complete_run

Options = Mapping[str, Any]
"""Click's options by flag."""


def check(options: Options, words: Sequence[str], interspersed: bool = True) -> None:
    """Raise ConfigError for a flag that is none; note an option that is given twice with different values.

    interspersed: options may follow arguments, as they may but in a command that has commands.
    """
    given: dict[str, tuple[str, str]] = {}
    rest = iter(words)
    for word in rest:
        if not word.startswith("-") or word == "-":
            if interspersed:
                continue
            return
        if word == "--":
            return
        flag, equals, value = word.partition("=")
        option = options.get(flag)
        if option is None or (equals and len(flag) == 2):
            _refuse(misread(word, options))
        if option.is_flag:
            value = "off" if flag in option.secondary_opts else "on"
        elif not equals:
            value = next(rest, "")
        before = given.get(option.name, (flag, value))
        given[option.name] = flag, value
        if value != before[1] and not option.multiple:
            shown = (before[0], flag) if option.is_flag else (" ".join(before), f"{flag} {value}")
            _note(f"{shown[0]} and then {shown[1]}: the last counts")


def _refuse(text: str) -> NoReturn:
    from mmrl.settings.errors import ConfigError  # loads pydantic, which takes longer than many a command

    raise ConfigError(text)


def _note(text: str) -> None:
    from mmrl.settings.errors import note

    note(text)


def misread(word: str, options: Options) -> str:
    """What is wrong with a word that is no flag, and what to write; names of other libraries lead to the ones here."""
    from mmrl.settings.errors import suggestion
    from mmrl.settings.fields import elsewhere, field

    flag, _, value = word.partition("=")
    if word.startswith("--"):
        foreign = elsewhere(flag, "long_flag") if field("lr").long_flag in options else ""
        return f"{flag} is no option{foreign or suggestion(flag, options)}"
    if flag in options:
        return f"{word} is no option: write {flag} {value}"
    if flag.lower() in options:
        return f"{flag} is no option: write {flag.lower()}"
    if "-" + flag in options:
        return f"{flag} is no option: write -{flag}"
    short = sorted((f for f in options if not f.startswith("--")), key=len, reverse=True)
    before = next((f for f in short if word.startswith(f) and not options[f].is_flag), "")
    joined = f": write {before} {word.removeprefix(before)}" if before else ""
    if joined and word[len(before)] in "0123456789.+-":
        return f"{word} is no option{joined}"
    end = _several(word[1:], options) or suggestion(flag, short) or joined or suggestion(flag, options)
    return f"{word} is no option{end}"


def _several(letters: str, options: Options) -> str:
    """`: write -af -ni` where such flags were joined; else empty."""
    if not letters:
        return ": write"
    for end in range(len(letters), 0, -1):
        option = options.get("-" + letters[:end])
        if option is not None and (option.is_flag or end == len(letters)):
            behind = _several(letters[end:], options)
            if behind:
                return f": write -{letters[:end]}{behind.removeprefix(': write')}"
    return ""


def misplaced(ctx: typer.Context, words: str) -> str:
    """What words may be that a command has no place for: nothing, a preset, a run; empty where it is none of these."""
    from mmrl.settings.errors import suggestion
    from mmrl.settings.sources import presets

    if not words.strip():
        return "an empty argument is not allowed: drop it (a variable that is not set gives one within quotes)"
    word = words.split()[0]
    if "load" not in ctx.params:
        return ""
    if word in presets():
        return f"{word} is a preset: write --preset {word}"
    if word in complete_run(ctx, word):
        return f"{word} is a run: write --load {word} to go on with it"
    close = suggestion(word, presets())
    return f"there is no preset {word}" + close.replace("'", "'--preset ", 1) if close else ""


def needed(parameter: Any) -> str:
    """What the value of an option must be, in words; empty for a text, and with an old version of typer."""
    from mmrl.settings.fields import NOUNS, within

    described = getattr(parameter, "type_descriptor", None)
    if described is None:
        return ""
    if described.choices:
        return "one of " + ", ".join(described.choices)
    noun = NOUNS.get(getattr(described.annotation, "__name__", ""), "")
    bounds = {"ge": described.parameter_info.min, "le": described.parameter_info.max}
    return f"{noun} {within({name: bound for name, bound in bounds.items() if bound is not None})}".rstrip()
