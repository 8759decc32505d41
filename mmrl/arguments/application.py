"""The commands' application, and options and arguments that several commands have."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated, Any, Literal

import typer

from mmrl.commands.completion import complete_run, complete_run_or_group
from mmrl.commands.help_page import App

app = App(
    name="mmrl",
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train a market maker in a terminal and watch it learn.\n\nEverywhere ± is half of a 95 % interval.",
    epilog="Try: mmrl train --preset quickstart",
    no_args_is_help=True,
)

runs_app = App(help="List, control and organise runs.", no_args_is_help=True)
app.add_typer(runs_app, name="runs")


def expanded(path: str, name: str) -> str:
    """A path with `~` and variables replaced; most paths have neither, and their commands need no settings for it."""
    if not any(mark in path for mark in "~$"):
        return path
    from mmrl.settings.files import expanded as replaced

    return replaced(path, name)


def _folder(path: str) -> str:
    """A path that may be that of a folder; raises ConfigError."""
    if os.path.exists(path) and not os.path.isdir(path):
        from mmrl.settings.errors import ConfigError

        raise ConfigError(f"--results {path} is no folder: name the one that contains the run folders")
    return path


def path_of(name: str) -> Callable[[Any], Any]:
    """A callback that expands `~` and variables in the paths that an option was given."""

    def replaced(value: Any) -> Any:
        if isinstance(value, list):
            return [expanded(path, name) for path in value]
        return value and expanded(value, name)

    return replaced


Json = Annotated[bool, typer.Option("--json", help="Print only JSON on standard output.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
What = Literal["training", "episode", "book"]
Runs = Annotated[list[str] | None, typer.Argument(metavar="RUN...", autocompletion=complete_run_or_group)]
Run = Annotated[str, typer.Argument(metavar="RUN", autocompletion=complete_run)]
RunOrGroup = Annotated[str, typer.Argument(metavar="RUN", autocompletion=complete_run_or_group)]
RunToShow = Annotated[str, typer.Argument(metavar="[RUN]", help="Show this run.", autocompletion=complete_run)]
Results = Annotated[
    str,
    typer.Option(
        "--results",
        envvar="MMRL_RESULTS",
        help="Folder that contains the run folders.",
        callback=lambda value: _folder(expanded(value, "--results")),
    ),
]
