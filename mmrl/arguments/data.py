"""What the commands on data take: simulate, calibrate, replay."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from mmrl.arguments.application import Debug, Json, Results, Run, app, path_of
from mmrl.commands.completion import (
    complete_agent,
    complete_assignment,
    complete_format,
    complete_market,
    complete_preset,
    complete_run,
)
from mmrl.commands.modes import refuse_idle

# Help is given by `help=`: python -OO drops docstrings.
SIMULATE_HELP = """Write the tape of a market as LOBSTER files, and sum it up.

A message has seconds after midnight, type (1 submission, 2 partial cancellation, 3 deletion, 4 execution), order,
shares, price * 10^4 and the direction of the resting order; row for row the book after it has ask price, shares,
bid price, shares by level. The tape begins at 9:30 (34200 s) and does not stop at midnight."""


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
            callback=path_of("--output"),
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
        typer.Argument(metavar="DATA...", help="Files of one day of one instrument.", callback=path_of("DATA")),
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
        typer.Option("-o", "--output", metavar="FILE", help="Write a market file.", callback=path_of("--output")),
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
        typer.Argument(metavar="DATA...", help="Files of one day of one instrument.", callback=path_of("DATA")),
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
            metavar="FILE", help="Draw the day or the sweep: .txt, .svg, .png or .pdf.", callback=path_of("--save")
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
