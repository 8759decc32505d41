"""The command `mmrl`: parses, calls, prints."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mmrl.options import complete_preset, with_settings

app = typer.Typer(
    name="mmrl",
    add_completion=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Train a market maker in a terminal and watch it learn.",
    epilog="Try: mmrl train --preset quickstart",
    no_args_is_help=True,
)

EXIT_CODES = {"ConfigError": 2, "BadRunName": 2, "RunNotFound": 3, "RunBusy": 4, "Diverged": 5}
"""By the name of the error, so that the modules that raise them need not be imported for a help page."""

Json = Annotated[bool, typer.Option("--json", help="JSON on standard output and nothing else.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
Results = Annotated[str, typer.Option("--results", help="Folder of the run folders.")]


@app.callback()
def _common() -> None:
    pass


@app.command(
    epilog="Examples: mmrl train --preset quickstart | mmrl train -nt 5000 -nb 100 -ne 400 -lr 0.01 -af -ni"
)
@with_settings
def train(
    settings: dict[str, Any],
    preset: Annotated[
        str | None, typer.Option(help="Start from a preset.", autocompletion=complete_preset)
    ] = None,
    config: Annotated[
        str | None, typer.Option(metavar="FILE", help="Read settings from a TOML file.")
    ] = None,
    load: Annotated[str | None, typer.Option("--load", "-l", metavar="RUN", help="Go on with a run.")] = None,
    expand: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="With --load: N more epochs.")
    ] = None,
    plot: Annotated[bool, typer.Option("--plot", "-p", help="Plot instead of training.")] = False,
    good_results: Annotated[
        bool, typer.Option("--good-results", help="With --plot: every shipped run.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the settings and stop.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Train in the background.")] = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    """Train a market maker and watch it learn."""
    from mmrl import launch

    if plot or good_results:
        launch.plot(
            [load] if load else [], good_results=good_results, results=settings.get("run.results", "results")
        )
        return
    resolved, origins, folder = launch.prepare(settings, config, preset, load, expand, os.environ)
    if dry_run:
        launch.show_settings(resolved, origins, json_)
    elif detach:
        launch.detach([sys.executable, str(Path(__file__).resolve())], sys.argv[1:], resolved, json_)
    else:
        raise typer.Exit(launch.train(resolved, origins, folder, expand, json_))


@app.command()
def bench(json_: Json = False, debug: Debug = False) -> None:
    """Measure steps per second of every engine and device present."""
    from mmrl.bench import bench as measure

    measure(as_json=json_)


def main(arguments: list[str] | None = None) -> None:
    """Entry point: errors become one line on standard error and an exit code."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        code = typer.main.get_command(app).main(given, prog_name="mmrl", standalone_mode=False)
    except KeyboardInterrupt:
        code = 130
    except Exception as error:
        if "--debug" in given:
            raise
        code = _report(error)
    sys.stdout.flush()
    sys.exit(code if isinstance(code, int) else 0)


def _report(error: Exception) -> int:
    names = [kind.__name__ for kind in type(error).__mro__]
    if "Abort" in names:
        return 130
    if "NoArgsIsHelpError" in names:
        return 2  # the help page is already printed
    usage = hasattr(error, "format_message")
    message = error.format_message() if usage else str(error)  # type: ignore[attr-defined]
    line = " ".join(str(message).split()) or type(error).__name__
    code = 2 if usage else next((EXIT_CODES[name] for name in names if name in EXIT_CODES), 1)
    if code == 1:
        line += f" ({type(error).__name__}; --debug shows the traceback)"
    print(f"mmrl: {line}", file=sys.stderr)
    return code


if __name__ == "__main__":
    main()
