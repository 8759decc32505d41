"""What the commands take that look at a run or a maker: plot, quote, export, evaluate."""

from __future__ import annotations

from typing import Annotated

import typer

from mmrl.arguments.application import Debug, Json, Results, Run, Runs, What, app, path_of
from mmrl.commands.completion import (
    complete_agent,
    complete_assignment,
    complete_market,
    complete_metric,
    complete_run_or_group,
)
from mmrl.commands.modes import refuse_idle
from mmrl.evaluate import MOST_TRAJECTORIES


@app.command(help="Draw training curves, a sampled batch or the order book; without RUN, those of the newest run.")
def plot(
    ctx: typer.Context,
    runs: Runs = None,
    good_results: Annotated[bool, typer.Option("--good-results", help="Draw every run in good-results.")] = False,
    what: Annotated[What, typer.Option(help="Curves over epochs, a sampled batch, or its order book.")] = "training",
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="Metric to draw (docs/metrics.md); may be repeated.", autocompletion=complete_metric
        ),
    ] = None,
    save: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write .txt, .svg, .png or .pdf.", callback=path_of("--save"))
    ] = None,
    width: Annotated[int | None, typer.Option(min=20, max=1000, help="Width; default: that of the terminal.")] = None,
    height: Annotated[int | None, typer.Option(min=8, max=1000, help="Height; default: that of the terminal.")] = None,
    results: Results = "results",
    debug: Debug = False,
) -> None:
    from mmrl.commands import plot as plotting

    refuse_idle(ctx)
    plotting.plot(runs or [], good_results, results, what, metric or [], save, width, height)


@app.command(
    help="Print the quotes of a run by inventory and time, beside the optimum's where the market can be solved.",
    epilog="Examples: mmrl quote RUN --inventory 3 --time 0.5 | mmrl quote RUN --table > quotes.csv",
)
def quote(
    run: Run,
    inventory: Annotated[int | None, typer.Option(metavar="Q", help="Shares held; default: 0.")] = None,
    time: Annotated[
        float | None, typer.Option(min=0, max=1, metavar="T", help="Share of the horizon that has passed; default: 0.")
    ] = None,
    table: Annotated[
        bool, typer.Option("--table", help="All inventories and times that are not given, as CSV; with --json as JSON.")
    ] = False,
    epoch: Annotated[
        str,
        typer.Option(metavar="best|last|N", help="Which policy of the run: its best by grade, its last, of epoch N."),
    ] = "best",
    results: Results = "results",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.commands.quote import quote as tell

    tell(run, inventory, time, table, epoch, results, json_)


@app.command(
    help="Write what runs recorded (of a group all its runs), or the policy of a run, for other programs.",
    epilog="Examples: mmrl export RUN --csv metrics.csv | mmrl export RUN --onnx policy.onnx | "
    "mmrl export RUN --numpy policy.npz, for mmrl.load",
)
def export(
    ctx: typer.Context,
    runs: Annotated[list[str], typer.Argument(metavar="RUN...", autocompletion=complete_run_or_group)],
    csv: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Metrics, a row an epoch.", callback=path_of("--csv"))
    ] = None,
    parquet: Annotated[
        str | None, typer.Option(metavar="FILE", help="The same, typed.", callback=path_of("--parquet"))
    ] = None,
    tensorboard: Annotated[
        str | None, typer.Option(metavar="DIR", help="Event files, a folder a run.", callback=path_of("--tensorboard"))
    ] = None,
    onnx: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Policy: ONNX model (extra onnx).", callback=path_of("--onnx")),
    ] = None,
    torchscript: Annotated[
        str | None, typer.Option(metavar="FILE", help="Policy, for torch.jit.load.", callback=path_of("--torchscript"))
    ] = None,
    numpy: Annotated[
        str | None, typer.Option(metavar="FILE", help="Policy: .npz, for mmrl.load.", callback=path_of("--numpy"))
    ] = None,
    epoch: Annotated[
        str | None, typer.Option(metavar="best|last|N", help="Which policy of the run, as in mmrl quote.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite what is there.")] = False,
    results: Results = "results",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.commands.export import export as write

    refuse_idle(ctx)
    records = {"tensorboard": tensorboard, "csv": csv, "parquet": parquet}
    policy = {"onnx": onnx, "torchscript": torchscript, "numpy": numpy}
    write(runs, results, records, policy, epoch or "best", force, json_)


@app.command(
    help="Compare runs and classical agents on the same random numbers, with the exact optimum where it is known.",
    epilog="Example: mmrl evaluate --market avellaneda-stoikov --set fill=linear "
    "--agent avellaneda-stoikov --agent symmetric --trajectories 100000",
)
def evaluate(
    ctx: typer.Context,
    runs: Runs = None,
    agent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="naive, symmetric, avellaneda-stoikov, glft, glft-asymptotic, cartea-jaimungal, optimum, "
            "best-fixed or best-linear (found by a search of some seconds), or fixed:DELTA (book: fixed:SIZE@DELTA); "
            "may be repeated.",
            autocompletion=complete_agent,
        ),
    ] = None,
    market: Annotated[
        str | None,
        typer.Option(help="Market to trade in; default: that of the run.", autocompletion=complete_market),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a setting of market or reward.",
            autocompletion=complete_assignment,
        ),
    ] = None,
    trajectories: Annotated[
        int, typer.Option(min=1, max=MOST_TRAJECTORIES, help="Trajectories of each run or agent.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the evaluation; no training uses its numbers.")] = 0,
    stochastic: Annotated[
        bool | None,
        typer.Option(
            "--stochastic/--deterministic",
            help="Sample a run's actions, or play their mean; default: what is worth more on held-out trajectories.",
            show_default=False,
        ),
    ] = None,
    epoch: Annotated[
        str, typer.Option(metavar="best|last|N", help="Which policy of a run: its best by grade, its last, of epoch N.")
    ] = "best",
    max_inventory: Annotated[
        int | None, typer.Option(min=1, metavar="Q", help="Inventory bound of the exact values: |q| <= Q.")
    ] = None,
    quotes: Annotated[bool, typer.Option("--quotes", help="Draw the quotes as a function of inventory.")] = False,
    save: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="With --quotes: write .svg, .png, .pdf or .txt.", callback=path_of("--save")),
    ] = None,
    results: Results = "results",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.commands import evaluate as report

    refuse_idle(ctx)
    report.evaluate(
        runs or [], agent or [], market, set_ or [], trajectories, seed, results, json_, stochastic, max_inventory,
        quotes, save, epoch,
    )  # fmt: skip
