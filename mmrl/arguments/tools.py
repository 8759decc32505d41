"""What `mmrl tui` and `mmrl bench` take."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Annotated

import typer

from mmrl.arguments.application import Debug, Json, Results, RunToShow, app
from mmrl.commands.modes import refuse_idle
from mmrl.plots.output import say


@app.command(help="Watch, control, start and compare runs in the terminal, or with --serve in a browser.")
def tui(
    ctx: typer.Context,
    run: RunToShow = "",
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve it to a browser of this machine, at a secret address (extra serve).")
    ] = False,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, metavar="N", help="With --serve: default: one that is free.")
    ] = None,
    results: Results = "results",
    debug: Debug = False,
) -> None:
    refuse_idle(ctx)
    if serve:
        from mmrl.commands.serve import serve as to_browser

        to_browser(run, results, port or 0)
        return
    terminal = sys.stdin.isatty() and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if not terminal and "TEXTUAL_DRIVER" not in os.environ:  # which --serve sets: a browser is the terminal
        say("mmrl: mmrl tui needs a terminal; mmrl runs list and mmrl plot work without one", sys.stderr)
        raise typer.Exit(2)
    installed = "mmrl.cli" in sys.modules  # and so does it stand under mmrl
    import_module("mmrl.tui.app" if installed else "tui.app").run(results, run)


@app.command(
    help="Measure how fast this machine simulates, learns and starts; loops: of a fixed loop, in the time of one unit.",
    epilog="Examples: mmrl bench --quick | mmrl bench --only rollout/book | mmrl bench --quick --against HEAD~1",
)
def bench(
    quick: Annotated[bool, typer.Option("--quick", help="A few cases, about two minutes.")] = False,
    against: Annotated[
        str | None,
        typer.Option(metavar="REF", help="Build another commit of this clone and measure it in turns with this one."),
    ] = None,
    only: Annotated[str, typer.Option(metavar="TEXT", help="Cases with this in their name.")] = "",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.commands.bench import bench as measure

    raise typer.Exit(measure(json_, quick, against, only))
