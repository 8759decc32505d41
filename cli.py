"""The command `mmrl`: parses, calls, prints."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any, Literal

import typer

from mmrl.commands import surroundings
from mmrl.commands.completion import (
    complete_agent,
    complete_assignment,
    complete_change,
    complete_format,
    complete_market,
    complete_metric,
    complete_preset,
    complete_run,
    complete_run_or_group,
    complete_settings,
    complete_trashed,
)
from mmrl.commands.help_page import App, Command, show_all
from mmrl.commands.lazy import WithSettings
from mmrl.commands.modes import refuse_idle
from mmrl.plots.output import say

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

# Help is given by `help=`: python -OO drops docstrings.
SIMULATE_HELP = """Write the tape of a market as LOBSTER files, and sum it up.

A message has seconds after midnight, type (1 submission, 2 partial cancellation, 3 deletion, 4 execution), order,
shares, price * 10^4 and the direction of the resting order; row for row the book after it has ask price, shares,
bid price, shares by level. The tape begins at 9:30 (34200 s) and does not stop at midnight."""

EXIT_CODES = {
    "ConfigError": 2,
    "DataError": 2,
    "BadRunName": 2,
    "PlotsMissing": 2,
    "RunNotFound": 3,
    "RunBusy": 4,
    "Diverged": 5,
    "BrokenRun": 1,
}
"""By the name of the error class: a help page must not import the modules that define them."""


def expanded(path: str, name: str) -> str:
    """A path with `~` and variables replaced; most paths have neither, and their commands need no settings for it."""
    if not any(mark in path for mark in "~$"):
        return path
    from mmrl.settings.files import expanded as replaced

    return replaced(path, name)


def _path(name: str) -> Callable[[Any], Any]:
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
        callback=lambda value: expanded(value, "--results"),
    ),
]


class Train(Command):
    """`mmrl train`, whose help shows the options of daily use first."""

    daily = (
        *("--preset", "--market", "--market-file", "--config", "--set", "--load", "--expand", "--name", "--results"),
        *("-nt", "-nb", "-ne", "-lr", "--entropy", "--utility", "--inventory-penalty", "--seed", "--seeds"),
        *("--threads", "--detach", "--dry-run"),
    )


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
        str, typer.Argument(metavar="SPEC.toml", help="What to search (docs/scaling.md).", callback=_path("SPEC"))
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


@app.command(
    help="Show what the presets are for, or what one of them sets.",
    epilog="Examples: mmrl presets | mmrl presets quickstart",
)
def presets(
    name: Annotated[str | None, typer.Argument(metavar="NAME", autocompletion=complete_preset)] = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.commands import presets as shown

    shown.show(name, json_)


@app.command(
    help="Show what the markets are, or what the maker of one sees and chooses, who can play there, and its settings.",
    epilog="Examples: mmrl markets | mmrl markets order-flow",
)
def markets(
    name: Annotated[str | None, typer.Argument(metavar="NAME", autocompletion=complete_market)] = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.commands.markets import show as tell

    tell(name, json_)


@app.command(
    help="Show who the classical agents are, or where one of them comes from and can play.",
    epilog="Examples: mmrl agents | mmrl agents glft",
)
def agents(
    name: Annotated[str | None, typer.Argument(metavar="NAME", autocompletion=complete_agent)] = None,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.commands.agents import show as tell

    tell(name, json_)


@app.command(
    help="Print the settings of a run, a preset or a file as TOML, or in what two of them differ.",
    epilog="Examples: mmrl config quickstart > my.toml | mmrl config RUN --diff OTHER | mmrl config --schema",
)
def config(
    ctx: typer.Context,
    what: Annotated[str | None, typer.Argument(metavar="RUN|PRESET|FILE", autocompletion=complete_settings)] = None,
    diff: Annotated[
        str | None,
        typer.Option(metavar="OTHER", help="Print only what differs from it.", autocompletion=complete_settings),
    ] = None,
    schema: Annotated[
        bool, typer.Option("--schema", help="Print the JSON schema of such files, by which editors complete them.")
    ] = False,
    results: Results = "results",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.commands.config import show as tell

    refuse_idle(ctx)
    tell(what, diff, schema, results, json_)


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
        str | None, typer.Option(metavar="FILE", help="Write .txt, .svg, .png or .pdf.", callback=_path("--save"))
    ] = None,
    width: Annotated[int | None, typer.Option(min=20, max=1000, help="Width; default: that of the terminal.")] = None,
    height: Annotated[int | None, typer.Option(min=8, max=1000, help="Height; default: that of the terminal.")] = None,
    results: Results = "results",
    debug: Debug = False,
) -> None:
    from mmrl.commands import plot as plotting

    refuse_idle(ctx)
    plotting.plot(runs or [], good_results, results, what, metric or [], save, width, height)


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
    from mmrl.commands import runs

    refuse_idle(ctx)
    runs.list_runs(results, json_, columns, unfold)


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
        str | None, typer.Option("--csv", metavar="FILE", help="Metrics, a row an epoch.", callback=_path("--csv"))
    ] = None,
    parquet: Annotated[
        str | None, typer.Option(metavar="FILE", help="The same, typed.", callback=_path("--parquet"))
    ] = None,
    tensorboard: Annotated[
        str | None, typer.Option(metavar="DIR", help="Event files, a folder a run.", callback=_path("--tensorboard"))
    ] = None,
    onnx: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Policy: ONNX model (extra onnx).", callback=_path("--onnx")),
    ] = None,
    torchscript: Annotated[
        str | None, typer.Option(metavar="FILE", help="Policy, for torch.jit.load.", callback=_path("--torchscript"))
    ] = None,
    numpy: Annotated[
        str | None, typer.Option(metavar="FILE", help="Policy: .npz, for mmrl.load.", callback=_path("--numpy"))
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
        int, typer.Option(min=1, max=100_000_000, help="Trajectories of each run or agent.")
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
        typer.Option(metavar="FILE", help="With --quotes: write .svg, .png, .pdf or .txt.", callback=_path("--save")),
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


@app.command(
    help=SIMULATE_HELP,
    epilog="Example: mmrl simulate --market order-flow --events 100000 --levels 10 -o tape",
)
def simulate(
    ctx: typer.Context,
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="PREFIX",
            help="Write PREFIX_message_L.csv and PREFIX_orderbook_L.csv for L levels; a folder: named as the market.",
            callback=_path("--output"),
        ),
    ],
    market: Annotated[
        str | None,
        typer.Option(help="Market to simulate; default: that of the run.", autocompletion=complete_market),
    ] = None,
    preset: Annotated[
        str | None, typer.Option(metavar="NAME", help="Start from a preset.", autocompletion=complete_preset)
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting.", autocompletion=complete_assignment),
    ] = None,
    agent: Annotated[
        str,
        typer.Option(
            metavar="NAME",
            help="A maker that trades too, as in mmrl evaluate; none: the others alone.",
            autocompletion=complete_agent,
        ),
    ] = "none",
    run: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="A trained maker that trades too.", autocompletion=complete_run),
    ] = None,
    epoch: Annotated[
        str | None, typer.Option(metavar="best|last|N", help="Which policy of the run, as in mmrl evaluate.")
    ] = None,
    stochastic: Annotated[
        bool | None,
        typer.Option(
            "--stochastic/--deterministic",
            help="Sample the run's actions, or play their mean, as in mmrl evaluate.",
            show_default=False,
        ),
    ] = None,
    events: Annotated[int | None, typer.Option(min=1, metavar="N", help="Messages to write.")] = None,
    time: Annotated[
        float | None, typer.Option(metavar="T", help="Or: how long the market lives, in its unit of time.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the tape; no training uses its numbers.")] = 0,
    levels: Annotated[int, typer.Option(min=1, max=1000, help="Levels of the book a side.")] = 10,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    results: Results = "results",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.commands import simulate as simulation

    refuse_idle(ctx)
    simulation.simulate(
        market, preset, set_ or [], agent, run, epoch, stochastic, events, time, seed, output, levels, force, results,
        json_,
    )  # fmt: skip


@app.command(
    help="Fit a market to a day of real order-book data, with errors, or check how realistic a fitted one is.",
    epilog="Examples: mmrl calibrate AMZN_message_1.csv AMZN_orderbook_1.csv --market book -o amzn.toml | "
    "mmrl train --market-file amzn.toml | mmrl calibrate --check es.toml es.dbn.zst --from 23:00",
)
def calibrate(
    ctx: typer.Context,
    data: Annotated[
        list[str],
        typer.Argument(metavar="DATA...", help="Files of one day of one instrument.", callback=_path("DATA")),
    ],
    market: Annotated[
        str | None,
        typer.Option(
            help="Market to fit: book (default), order-flow or avellaneda-stoikov.", autocompletion=complete_market
        ),
    ] = None,
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="auto, lobster, databento, binance, binance-csv, bitstamp or hftbacktest.",
            autocompletion=complete_format,
        ),
    ] = "auto",
    from_: Annotated[str | None, typer.Option("--from", metavar="HH:MM", help="First time of the day.")] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="HH:MM", help="Time of the day before which it ends.")
    ] = None,
    date: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="The day, where files hold several.")] = None,
    symbol: Annotated[str | None, typer.Option(help="The instrument, where files hold several.")] = None,
    tick: Annotated[float | None, typer.Option(help="Price step, where it cannot be told from the prices.")] = None,
    queue_sizes: Annotated[
        int | None,
        typer.Option(
            min=0, max=999, metavar="N", help="order-flow: rates by queues of up to N mean orders. (default: 0)"
        ),
    ] = None,
    exponentials: Annotated[
        int | None,
        typer.Option(min=0, max=8, metavar="N", help="order-flow: of the excitation. (default: 2; of all kinds 4)"),
    ] = None,
    hawkes_kinds: Annotated[
        Literal["market", "all"] | None,
        typer.Option(help="order-flow: market orders excite each other, or all kinds of events. (default: market)"),
    ] = None,
    efficient_price: Annotated[
        Literal["fitted", "none"] | None,
        typer.Option(help="order-flow: a price that nobody sees, towards which orders lean. (default: none)"),
    ] = None,
    half_hour: Annotated[
        str | None,
        typer.Option(metavar="HH:MM", help="Fit the rates of orders of this half hour, not of the whole span."),
    ] = None,
    check: Annotated[
        str | None, typer.Option("--check", metavar="FILE", help="Simulate this market file and compare with the data.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="With --check: seed of the simulation. (default: 0)")] = None,
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="Write a market file.", callback=_path("--output")),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.calibrate.fits import Wanted
    from mmrl.commands import calibrate as calibration
    from mmrl.data.table import Options

    refuse_idle(ctx)
    events = calibration.load(data, format_, Options(tick, None, date, symbol), from_, to)
    if check is not None:
        calibration.check(events, check, seed or 0, json_)
    else:
        wanted = Wanted(queue_sizes, exponentials, hawkes_kinds, half_hour, efficient_price)
        calibration.calibrate(events, market or "book", wanted, output, force, json_)


@app.command(
    help="Let a run and classical agents trade on a real day, with queue position, latency and fees (hftbacktest), "
    "beside what the run's simulated market promises.",
    epilog="Examples: mmrl replay RUN es.dbn.zst --from 23:30 --latency-ms 5 --agent glft | "
    "mmrl replay RUN day.npz --sweep latency=0,1,5,20",
)
def replay(
    ctx: typer.Context,
    run: Run,
    data: Annotated[
        list[str],
        typer.Argument(metavar="DATA...", help="Files of one day of one instrument.", callback=_path("DATA")),
    ],
    agent: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A classical agent on the same tape, as in mmrl evaluate; may be repeated.",
            autocompletion=complete_agent,
        ),
    ] = None,
    latency_ms: Annotated[
        float, typer.Option(metavar="L", help="Milliseconds one way, of market data, orders and answers.")
    ] = 1.0,
    fee_maker: Annotated[
        str | None,
        typer.Option(metavar="F", help="Currency a share, or 0.02% of the value; below 0: paid. (default: the run's)"),
    ] = None,
    fee_taker: Annotated[str | None, typer.Option(metavar="F", help="The same of orders that take.")] = None,
    queue: Annotated[
        str | None,
        typer.Option(metavar="MODEL", help="risk-averse, log or power:N, of hftbacktest. (default: risk-averse)"),
    ] = None,
    decision_interval: Annotated[
        float | None, typer.Option(metavar="S", help="Seconds between decisions. (default: as in the run's market)")
    ] = None,
    lots: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Lots of the data that a share of the run's market stands for."),
    ] = None,
    from_: Annotated[str | None, typer.Option("--from", metavar="HH:MM", help="First time of the day.")] = None,
    to: Annotated[
        str | None, typer.Option("--to", metavar="HH:MM", help="Time of the day before which it ends.")
    ] = None,
    format_: Annotated[
        str,
        typer.Option(
            "--format",
            help="auto, lobster, databento, binance, binance-csv, bitstamp or hftbacktest.",
            autocompletion=complete_format,
        ),
    ] = "auto",
    date: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="The day, where files hold several.")] = None,
    symbol: Annotated[str | None, typer.Option(help="The instrument, where files hold several.")] = None,
    tick: Annotated[float | None, typer.Option(help="Price step, where it cannot be told from the prices.")] = None,
    lot: Annotated[float | None, typer.Option(help="Size step, where it cannot be told from the sizes.")] = None,
    epoch: Annotated[
        str, typer.Option(metavar="best|last|N", help="Which policy of the run, as in mmrl evaluate.")
    ] = "best",
    stochastic: Annotated[bool, typer.Option("--stochastic", help="Sample the run's actions.")] = False,
    trajectories: Annotated[
        int | None,
        typer.Option(min=0, max=10_000_000, help="Of the simulated market; 0: no row of it. (default: 1000)"),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of sampled actions and of the simulated market.")] = 0,
    sweep: Annotated[
        str | None,
        typer.Option(metavar="NAME=V,V", help="Draw results by latency=0,1,5,20 (ms), or queue=risk-averse,log."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Keep the day as a run, for mmrl plot and mmrl tui."),
    ] = None,
    save: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Draw the day or the sweep: .txt, .svg, .png or .pdf.", callback=_path("--save")
        ),
    ] = None,
    results: Results = "results",
    json_: Json = False,
    debug: Debug = False,
) -> None:
    from mmrl.commands import replay as replaying

    refuse_idle(ctx)
    replaying.replay(
        replaying.Asked(
            run, data, agent or [], latency_ms, fee_maker, fee_taker, queue or "risk-averse", decision_interval,
            from_, to, lots, format_, date, symbol, tick, lot, epoch, stochastic,
            1_000 if trajectories is None else trajectories, seed, sweep, save, name, results, json_,
        )
    )  # fmt: skip


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
    import_module("mmrl.tui.app" if __package__ else "tui.app").run(results, run)  # installed, it stands under mmrl


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
    if "NoArgsIsHelpError" in names:
        return 2  # the help page is already printed
    usage = hasattr(error, "format_message")
    message = _usage(error, given) if usage else str(error)
    line = " ".join(str(message).split()) or type(error).__name__
    code = 2 if usage else next((EXIT_CODES[name] for name in names if name in EXIT_CODES), 0)
    if not code:
        line += f" ({type(error).__name__}; --debug shows the traceback)"
    say(f"mmrl: {line}", sys.stderr)
    return code or 1


def _usage(error: Any, given: Sequence[str]) -> str:
    """What is wrong with the command line."""
    from mmrl.commands.options import misplaced, misread_flag

    if type(error).__name__ == "NoSuchOption":
        known = [flag for parameter in error.ctx.command.params for flag in parameter.opts] if error.ctx else []
        return misread_flag(error.option_name, given, known)
    message = str(error.format_message())
    extra = re.search(r"unexpected extra argument.*\((.*)\)$", message)
    found = misplaced(error.ctx, extra.group(1)) if extra else _of_value(error, given)
    return found or message


def _of_value(error: Any, given: Sequence[str]) -> str:
    """Option, value and allowed range, if the error is an invalid value of an option; else an empty text."""
    options = getattr(getattr(error, "param", None), "opts", ())
    for at, word in reversed(list(enumerate(given))):  # of an option given twice the last counts
        name, equals, value = word.partition("=")
        if name in options and (equals or at + 1 < len(given)):
            allowed = error.message.removeprefix("Value error, ").replace("Input should be", "it must be")
            return f"{name} = {value if equals else given[at + 1]!r} is not allowed: {allowed}"
    return ""


if __name__ == "__main__":
    main()
