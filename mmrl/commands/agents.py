"""What `mmrl agents` prints: who each agent is and where it can play, or all of one of them."""

from __future__ import annotations

import json
import sys
from typing import Any

from mmrl.agents import AGENTS, FILES, NEEDS, agents_of
from mmrl.agents.about import ABOUT
from mmrl.commands.help_page import two_columns
from mmrl.plots.output import terminal_size
from mmrl.plots.streams import wants_colour
from mmrl.plots.text import wrapped
from mmrl.settings.errors import ConfigError, choose
from mmrl.settings.fields import NAME
from mmrl.settings.registry import markets
from mmrl.settings.sources import resolve


def show(name: str | None, as_json: bool) -> None:
    """Print all agents, or one."""
    known = [*AGENTS, *FILES]
    if name is not None and name not in known:
        raise ConfigError(f"there is no agent '{name}': it must be {choose(name, known)}")
    able = {market: agents_of(resolve({NAME: market})[0]) for market in markets()}
    found = [_about(each, able) for each in ([name] if name else known)]
    if as_json:
        print(json.dumps(found[0] if name else found))
        return
    columns, colour = min(terminal_size()[0], 100), wants_colour(sys.stdout)
    print("\n".join(_whole(found[0], columns, colour) if name else _list(found, columns, colour)))


def _about(name: str, able: dict[str, list[str]]) -> dict[str, Any]:
    plays = [market for market, agents in able.items() if name in agents or name in FILES]
    about = ABOUT[name]
    return {
        "name": name,
        "written": about.written or name,
        "text": about.text,
        "source": about.source,
        "needs": NEEDS.get(name),
        "markets": plays,
    }


def _list(found: list[dict[str, Any]], columns: int, colour: bool) -> list[str]:
    lines = [line for each in found for line in two_columns(each["written"], each["text"], columns, colour)]
    end = "All of one: mmrl agents NAME. Compare them: mmrl evaluate --market NAME --agent NAME --agent NAME."
    return [*lines, "", *wrapped(end, columns)]


def _whole(agent: dict[str, Any], columns: int, colour: bool) -> list[str]:
    rows = {
        "source": agent["source"],
        "needs": agent["needs"] or "",
        "plays in": (", ".join(agent["markets"]) or "no market") + ", with their default settings",
        "written": agent["written"],
    }
    lines = [*wrapped(agent["text"], columns), ""]
    for name, text in rows.items():
        lines += two_columns(name, text, columns, colour) if text else []
    market = next(iter(agent["markets"]), "")
    return [*lines, "", "Let it play", f"  mmrl evaluate --market {market} --agent {agent['written']}"]
