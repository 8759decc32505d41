"""What `mmrl train` and `mmrl sweep` take."""

from __future__ import annotations

import os
import sys
from typing import Annotated, Any

import typer

from mmrl.arguments.application import Debug, Json, Results, app, expanded, path_of
from mmrl.commands.completion import complete_preset, complete_run
from mmrl.commands.help_page import Command, show_all
from mmrl.commands.lazy import WithSettings
from mmrl.commands.modes import refuse_idle


class Train(Command):
    """`mmrl train`, whose help shows the options of daily use first."""

    daily = (
        *("--preset", "--market", "--market-file", "--config", "--set", "--load", "--expand", "--name", "--results"),
        *("-nt", "-nb", "-ne", "-lr", "--entropy", "--utility", "--inventory-penalty", "--seed", "--seeds"),
        *("--threads", "--detach", "--dry-run"),
    )


@app.command(
    cls=Train,
    help="Train a market maker and watch it learn.",
    epilog="Examples: mmrl train --preset quickstart | mmrl train -nt 5000 -nb 100 -ne 400 -lr 0.01 -af -ni",
)
@WithSettings
def train(
    settings: dict[str, Any],
    ctx: typer.Context,
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Start from a preset.", autocompletion=complete_preset)
    ] = None,
    config: Annotated[str | None, typer.Option(metavar="FILE", help="Read settings from a TOML file.")] = None,
    market_file: Annotated[
        str | None, typer.Option("--market-file", metavar="FILE", help="Trade in a market that mmrl calibrate fitted.")
    ] = None,
    load: Annotated[
        str | None,
        typer.Option("--load", "-l", metavar="RUN", help="Resume a run.", autocompletion=complete_run),
    ] = None,
    expand: Annotated[int | None, typer.Option(min=1, metavar="N", help="With --load: train N more epochs.")] = None,
    plot: Annotated[bool, typer.Option("--plot", "-p", help="Draw a run instead of training.")] = False,
    good_results: Annotated[bool, typer.Option("--good-results", help="With --plot: draw good-results.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the settings and stop.")] = False,
    detach: Annotated[bool, typer.Option("--detach", help="Train in the background.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Train even if it needs more memory than there is.")] = False,
    seeds: Annotated[
        str | None,
        typer.Option("--seeds", metavar="0-4", help="Train several seeds side by side as a group: 0-4, or 0,3,7."),
    ] = None,
    log_to: Annotated[
        list[str] | None,
        typer.Option(
            "--log-to",
            metavar="NAME",
            help="Send the records to tensorboard, wandb or mlflow too, offline by default; may be repeated.",
        ),
    ] = None,
    smooth: Annotated[
        float | None,
        typer.Option(min=0, max=0.99, metavar="W", help="Smooth the live charts: weight of the past, 0 to 0.99."),
    ] = None,
    json_: Json = False,
    debug: Debug = False,
    help_all: Annotated[
        bool, typer.Option("--help-all", help="Show all options.", callback=show_all, is_eager=True)
    ] = False,
) -> None:
    from mmrl.commands import train as training

    refuse_idle(ctx)
    starts = "--seeds" if seeds is not None else "--detach" if detach else ""
    if training.helps(not (plot or good_results or dry_run), starts):
        return
    if plot or good_results:
        from mmrl.commands import plot as plotting

        root = settings.get("run.results") or os.environ.get("MMRL_RESULTS") or "results"
        plotting.plot([load] if load else [], good_results, expanded(root, "--results"))
        return
    resolved, origins, folder, fitted = training.prepare(
        settings, config, preset, load, expand, os.environ, market_file, force or dry_run
    )
    if dry_run:
        training.show_settings(resolved, origins, json_, expand or 0)
    elif seeds is not None:
        from mmrl.commands import seeds as together

        if detach:
            together.detach(sys.argv[1:], resolved, seeds, json_)
        else:
            raise typer.Exit(together.train(resolved, origins, seeds, json_, force, fitted, log_to or []))
    elif detach:
        training.detach(sys.argv[1:], resolved, json_)
    else:
        raise typer.Exit(training.train(resolved, origins, folder, expand, json_, force, fitted, smooth, log_to or []))


@app.command(
    help="Search settings: train a trial for each choice that Optuna makes, prune the poor ones, print the best. "
    "Any number of processes and machines that share the results folder may run the same command.",
    epilog="Examples: mmrl sweep spec.toml --trials 40 --jobs 2 | mmrl plot spec",
)
def sweep(
    spec: Annotated[
        str, typer.Argument(metavar="SPEC.toml", help="What to search (docs/scaling.md).", callback=path_of("SPEC"))
    ],
    trials: Annotated[
        int | None, typer.Option(min=1, max=100_000, metavar="N", help="Trials in all; default: those of the spec.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=4096, metavar="J", help="Trainings at once; default: as many as fit.")
    ] = None,
    results: Results = "results",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.commands.sweep import sweep as search

    raise typer.Exit(search(spec, trials, jobs, results, json_))
