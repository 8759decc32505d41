"""What the commands take that say what there is: presets, markets, agents, settings."""

from __future__ import annotations

from typing import Annotated

import typer

from mmrl.arguments.application import Debug, Json, Results, app
from mmrl.commands.completion import complete_agent, complete_market, complete_preset, complete_settings
from mmrl.commands.modes import refuse_idle


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
