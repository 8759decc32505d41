"""Help pages and messages at any width: no word is broken, no line too long; daily use first."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

import cli
from mmrl.commands.help_page import page
from mmrl.plots.output import say
from mmrl.plots.text import wrapped

WIDE = 100_000


def commands(command: Any = None, parent: Any = None, name: str = "mmrl") -> Iterator[tuple[Any, Any]]:
    """Every command of the program with its context."""
    command = command or cli.app.program()
    ctx = command.context_class(command, info_name=name, parent=parent)
    yield command, ctx
    for child in getattr(command, "commands", {}):
        yield from commands(command.commands[child], ctx, child)


ALL = [(command, ctx, everything) for command, ctx in commands() for everything in (False, True)]


def words(text: str) -> list[str]:
    """What must stay whole: a list of numbers may be broken after a comma, a command goes on after a backslash."""
    return [word for word in re.split(r"[\s,]+", text) if word not in ("\\", "")]


@pytest.mark.parametrize("columns", [60, 80])
@pytest.mark.parametrize("number", range(len(ALL)), ids=[f"{c.command_path}{' all' * e}" for _, c, e in ALL])
def test_no_word_of_a_help_page_is_broken(number: int, columns: int) -> None:
    command, ctx, everything = ALL[number]
    text = page(command, ctx, columns, everything)
    assert words(text) == words(page(command, ctx, WIDE, everything))
    assert max(map(len, text.split("\n"))) <= columns


def test_the_help_of_train_shows_twenty_options_of_daily_use_and_says_where_the_others_are() -> None:
    command, ctx = next((c, x) for c, x in commands() if x.command_path == "mmrl train")
    short, whole = page(command, ctx, 80), page(command, ctx, 80, everything=True)
    assert 18 <= len(command.daily) <= 22
    assert short.count("\n") <= 60 < whole.count("\n")
    for flag in (*command.daily, "--help-all"):
        assert re.search(rf"^  (-\w, )?{flag}\b", short, re.M), flag
    hidden = sum(not option.hidden for option in command.get_params(ctx)) - len(command.daily) - 2
    assert f"lists the other {hidden} options" in " ".join(short.split())
    assert "--hawkes-decays" not in short and "--hawkes-decays" in whole


def test_options_say_what_they_take_and_within_which_bounds() -> None:
    pages = {ctx.command_path: " ".join(page(command, ctx, WIDE, True).split()) for command, ctx in commands()}
    assert "--levels INTEGER Levels of the book a side. (default: 10; >= 1, <= 1000)" in pages["mmrl simulate"]
    assert "--market NAME Market to trade in. (one of book, avellaneda-stoikov, order-flow;" in pages["mmrl train"]
    assert pages["mmrl runs change"].startswith("Usage: mmrl runs change [OPTIONS] RUN KEY=VALUE ...")
    assert pages["mmrl"].count("List, control and organise runs.") == 1


@pytest.mark.parametrize(
    ("text", "columns", "lines"),
    [
        ("a long line of words", 10, ["a long", "  line of", "  words"]),
        ("take unbreakable-words whole", 8, ["take", "unbreakable-words", "  whole"]),
        ("of 0.25,0.5,1.75 or less", 10, ["of", "  0.25,", "  0.5,1.75", "  or less"]),
        ("it must be >= 10", 15, ["it must be", "  >= 10"]),
        ("", 10, []),
    ],
)
def test_lines_end_at_blanks(text: str, columns: int, lines: list[str]) -> None:
    assert wrapped(text, columns, "  ") == lines


def everything(reader: int) -> list[str]:
    """The lines that were written to a terminal which is closed now."""
    data = b""
    with suppress(OSError):
        while more := os.read(reader, 4096):
            data += more
    os.close(reader)
    return data.decode().split("\r\n")


def test_a_message_is_wrapped_on_a_terminal_and_one_line_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    message = "unknown metric 'x': there are " + ", ".join(f"metric_{at}" for at in range(12))
    say(message, sys.stderr)
    assert capsys.readouterr().err == message + "\n"
    reader, writer = os.openpty()
    with os.fdopen(writer, "w") as terminal:
        say(message, terminal)
        say("  mmrl train --load " + "x" * 80, terminal)
    shown = everything(reader)
    assert words(" ".join(shown[:-2])) == words(message)
    assert max(map(len, shown[:-2])) <= 60 and all(line.startswith("  ") for line in shown[1:-2])
    assert shown[-2] == "  mmrl train --load " + "x" * 80  # a command stays whole: it is copied


def test_an_error_on_a_terminal_is_wrapped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    reader, writer = os.openpty()
    with os.fdopen(writer, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with pytest.raises(SystemExit):
            cli.main(["train", "--preset", "linage"])
    shown = everything(reader)
    assert len(shown) > 2 and max(map(len, shown)) <= 60
    assert "did you mean 'lineage'?" in " ".join(" ".join(shown).split())
