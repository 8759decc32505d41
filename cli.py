"""The command `mmrl`: parses, calls, prints. What each command takes is declared in `mmrl/arguments`."""

from __future__ import annotations

import errno
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer

from mmrl.arguments.application import app as app
from mmrl.commands import surroundings
from mmrl.plots.output import say
from mmrl.plots.text import printable

for _part in ("train", "listings", "look", "runs", "data", "tools"):  # in the order of the help page
    import_module(f"mmrl.arguments.{_part}")

EXIT_CODES = {
    "ConfigError": 2,
    "DataError": 2,
    "BadRunName": 2,
    "PlotsMissing": 2,
    "RunNotFound": 3,
    "RunBusy": 4,
    "Diverged": 5,
    "BrokenRun": 1,
    "Overfull": 1,
}
"""By the name of the error class: a help page must not import the modules that define them."""


def _version(wanted: bool) -> None:
    if wanted:
        import mmrl

        print(f"mmrl {mmrl.__version__}")
        raise typer.Exit


@app.callback()
def mmrl_(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Train a market maker in a terminal and watch it learn."""
    surroundings.check_directory()


def main(arguments: list[str] | None = None) -> None:
    """Entry point: errors become one line on standard error and an exit code."""
    surroundings.prepare()
    given = sys.argv[1:] if arguments is None else arguments
    if any(word.endswith("-completion") for word in given):
        from mmrl.commands import completion_scripts

        completion_scripts.put()
    try:
        code = app.program().main(given, prog_name="mmrl", standalone_mode=False)
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        if "--debug" in given:
            raise
        # Typer takes every end of a file for an interrupt at a prompt, and we have no prompts.
        code = _report(error.__cause__ if isinstance(error.__cause__, EOFError) else error, given)
    lost, fault = surroundings.flush()
    if fault:
        say(f"mmrl: {fault}", sys.stderr)
    sys.exit(code if isinstance(code, int) and code else lost)


def _report(error: Exception, given: Sequence[str]) -> int:
    names = [kind.__name__ for kind in type(error).__mro__]
    if "NoArgsIsHelpError" in names:  # its message is the help page, which older versions of Typer have printed
        if page := str(error.format_message()).rstrip():  # type: ignore[attr-defined]
            print(page, file=sys.stderr)
        return 2
    usage = hasattr(error, "format_message")
    message = _usage(error, given) if usage else str(error)
    line = " ".join(str(message).split()) or type(error).__name__
    code = 2 if usage else next((EXIT_CODES[name] for name in names if name in EXIT_CODES), 0)
    if isinstance(error, OSError) and error.strerror:
        code, line = _of_system(error)
    refused = isinstance(error, MemoryError) or (isinstance(error, ImportError) and "failed to map" in line)
    if refused and not code:
        code, line = 1, "the machine refused memory: free some, or raise the limit of this process (ulimit -v)"
    if not code:
        line += f" ({type(error).__name__}; --debug shows the traceback)"
    say(f"mmrl: {printable(line)}", sys.stderr)
    return code or 1


def _of_system(error: OSError) -> tuple[int, str]:
    """Exit code, 0 for a fault of ours, and line for what the system refused: it names the place."""
    if not error.filename:
        full = error.errno == errno.ENOSPC
        return (1, f"standard output cannot be written: {error.strerror}") if full else (0, str(error))
    from mmrl.runs.atomic import refused

    return 1, refused(error)


def _usage(error: Any, given: Sequence[str]) -> str:
    """What is wrong with the command line."""
    from mmrl.commands.command_line import misplaced

    message = str(error.format_message())
    extra = re.search(r"unexpected extra argument.*\((.*)\)$", message)
    found = misplaced(error.ctx, extra.group(1)) if extra else _of_value(error, given)
    return found or message


def _of_value(error: Any, given: Sequence[str]) -> str:
    """Option, value and allowed range, if the error is an invalid value of an option; else an empty text."""
    from mmrl.commands.command_line import needed

    parameter = getattr(error, "param", None)
    options = getattr(parameter, "opts", ())
    for at, word in reversed(list(enumerate(given))):
        name, equals, value = word.partition("=")
        if name in options and (equals or at + 1 < len(given)):
            wanted = needed(parameter)
            allowed = f"it must be {wanted}" if wanted else error.message.removeprefix("Value error, ")
            return f"{name} = {value if equals else given[at + 1]!r} is not allowed: {allowed}"
    return ""


if __name__ == "__main__":
    main()
