"""What the commands of `mmrl runs` take."""

from __future__ import annotations

from typing import Annotated

import typer

from mmrl.arguments.application import Debug, Json, Results, Run, RunOrGroup, runs_app
from mmrl.commands.completion import complete_change, complete_run, complete_trashed
from mmrl.commands.modes import refuse_idle


@runs_app.command("list", help="List the runs of a folder, a group of them in one row with the mean over its seeds.")
def list_runs(
    ctx: typer.Context,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="NAME,...",
            help="What to show, for example name,value,nb; +nb adds to what is shown. Any setting, or name, state, "
            "epoch, value, optimality, market, lr, seed, speed, updated, algorithm, started, data, id, folder.",
        ),
    ] = None,
    unfold: Annotated[bool, typer.Option("--unfold", help="Show the runs of each group below its row.")] = False,
    results: Results = "results",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.commands import runs_table

    refuse_idle(ctx)
    runs_table.list_runs(results, json_, columns, unfold)


@runs_app.command(help="Show a run: how it stands, its best, settings that differ, files, and what comes next.")
def show(run: Run, results: Results = "results", json_: Json = False, debug: Debug = False) -> None:
    from mmrl.commands.show import show as tell

    tell(run, results, json_)


@runs_app.command(help="Show a run that trains in the background live in this terminal; Ctrl-C only leaves it.")
def attach(run: Run, results: Results = "results", json_: Json = False, debug: Debug = False) -> None:
    from mmrl.commands.attach import attach as watch

    watch(run, results, json_)


@runs_app.command(help="Print the log of a run that was trained in the background.")
def log(
    run: Run,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the training ends.")] = False,
    results: Results = "results",
    debug: Debug = False,
) -> None:
    from mmrl.commands import runs

    runs.log(run, results, follow)


@runs_app.command(help="Pause a run, or each run of a group, after the current epoch.")
def pause(run: RunOrGroup, results: Results = "results", json_: Json = False, debug: Debug = False) -> None:
    from mmrl.commands import runs

    runs.steer(run, results, "pause", json_)


@runs_app.command(help="Resume a paused run, or those of a group.")
def resume(run: RunOrGroup, results: Results = "results", json_: Json = False, debug: Debug = False) -> None:
    from mmrl.commands import runs

    runs.steer(run, results, "resume", json_)


@runs_app.command(help="Stop a run, or each run of a group, after the current epoch, with a checkpoint.")
def stop(run: RunOrGroup, results: Results = "results", json_: Json = False, debug: Debug = False) -> None:
    from mmrl.commands import runs

    runs.steer(run, results, "stop", json_)


@runs_app.command(
    help="Change lr, entropy, ne (target epochs) or plot_after of a run, or of each run of a group, while it trains."
)
def change(
    run: RunOrGroup,
    settings: Annotated[
        list[str],
        typer.Argument(metavar="KEY=VALUE ...", help="lr, entropy, ne or plot_after", autocompletion=complete_change),
    ],
    results: Results = "results",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.commands import runs

    runs.change(run, settings, results, json_)


@runs_app.command(help="Copy a run into good-results.")
def promote(run: Run, results: Results = "results", json_: Json = False, debug: Debug = False) -> None:
    from mmrl.commands import runs

    runs.promote(run, results, json_)


@runs_app.command(help="Rename a run.")
def rename(
    run: Run,
    new_name: Annotated[str, typer.Argument(metavar="NEW_NAME")],
    results: Results = "results",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.commands import runs

    runs.rename(run, new_name, results, json_)


@runs_app.command(help="Take a run back from the trash folder; without RUN, list what is there.")
def restore(
    run: Annotated[str | None, typer.Argument(metavar="RUN", autocompletion=complete_trashed)] = None,
    results: Results = "results",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.commands import runs

    runs.restore(run, results, json_)


@runs_app.command(help="Move a run to the trash folder; mmrl runs restore takes it back.")
def trash(run: Run, results: Results = "results", json_: Json = False, debug: Debug = False) -> None:
    from mmrl.commands import runs

    runs.trash(run, results, json_)


@runs_app.command(help="Verify all checksums of one run or of all runs; repair what is possible without losing data.")
def doctor(
    run: Annotated[str | None, typer.Argument(metavar="RUN", autocompletion=complete_run)] = None,
    results: Results = "results",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.commands.runs import doctor as examine

    raise typer.Exit(examine(run, results, json_))
