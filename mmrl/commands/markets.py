"""What `mmrl markets` prints: what each market is, or all that one of them shows, takes and offers."""

from __future__ import annotations

import json
import sys
from typing import Any

from mmrl.agents import agents_of
from mmrl.commands.help_page import two_columns
from mmrl.markets.contract import spec_of
from mmrl.plots.output import terminal_size
from mmrl.plots.streams import wants_colour
from mmrl.plots.text import wrapped
from mmrl.settings.errors import ConfigError, choose
from mmrl.settings.fields import NAME, fields
from mmrl.settings.market_about import brief, gymnasium_name, text_of
from mmrl.settings.preset_about import all_about
from mmrl.settings.registry import markets, packages
from mmrl.settings.sources import resolve


def show(name: str | None, as_json: bool) -> None:
    """Print all markets, or one."""
    if name is not None and name not in markets():
        raise ConfigError(f"there is no market '{name}': it must be {choose(name, markets())}")
    found = [_about(market) for market in ([name] if name else markets())]
    if as_json:
        print(json.dumps(found[0] if name else found))
        return
    columns, colour = min(terminal_size()[0], 100), wants_colour(sys.stdout)
    print("\n".join(_whole(found[0], columns, colour) if name else _list(found, columns, colour)))


def _about(market: str) -> dict[str, Any]:
    config = resolve({NAME: market})[0]
    spec = spec_of(config)
    return {
        "name": market,
        "text": text_of(market),
        "package": packages()[market],
        "time_unit": spec.time_unit,
        "observes": [{"name": column.name, "unit": column.unit} for column in spec.columns],
        "chooses": [{"name": axis.name, "unit": axis.unit} for axis in spec.axes],
        "optimum": spec.exact_optimum or spec.exact_states,
        "agents": agents_of(config),
        "presets": [each.name for each in all_about() if each.market == market],
        "gymnasium": gymnasium_name(market),
        "settings": [each.name for each in fields(market) if each.group == "market" and each.name != "name"],
    }


def _list(found: list[dict[str, Any]], columns: int, colour: bool) -> list[str]:
    lines = [line for each in found for line in two_columns(each["name"], brief(each["name"]), columns, colour)]
    return [*lines, "", *wrapped("All of one: mmrl markets NAME. Train in it: mmrl train --market NAME.", columns)]


def _whole(market: dict[str, Any], columns: int, colour: bool) -> list[str]:
    def units(rows: list[dict[str, str]]) -> str:
        return "; ".join(f"{row['name']} ({row['unit']})" if row["unit"] else row["name"] for row in rows)

    rows = {
        "observes": units(market["observes"]),
        "chooses": units(market["chooses"]),
        "time": f"in {market['time_unit']}",
        "optimum": "known exactly" if market["optimum"] else "not known with the default settings",
        "agents": ", ".join(market["agents"]) or "none",
        "presets": ", ".join(market["presets"]) or "none",
        "gymnasium": market["gymnasium"],
        "package": market["package"],
        "settings": ", ".join(market["settings"]),
    }
    lines = [*wrapped(market["text"], columns), ""]
    for name, text in rows.items():
        lines += two_columns(name, text, columns, colour)
    return [*lines, "", "Train in it", f"  mmrl train --market {market['name']}"]
