"""What `mmrl presets` prints: what each preset is for, or all that one of them sets."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

from mmrl.commands.help_page import two_columns
from mmrl.plots.output import terminal_size
from mmrl.plots.streams import wants_colour
from mmrl.plots.text import wrapped
from mmrl.settings.fields import field, shown
from mmrl.settings.preset_about import About, about, all_about

LONGEST = 60
"""Letters of a value that is shown whole."""


def show(name: str | None, as_json: bool) -> None:
    """Print all presets, or one."""
    found = [about(name)] if name else all_about()
    if as_json:
        rows = [asdict(each) for each in found]
        print(json.dumps(rows[0] if name else rows))
        return
    columns, colour = min(terminal_size()[0], 100), wants_colour(sys.stdout)
    print("\n".join(_whole(found[0], columns, colour) if name else _list(found, columns, colour)))


def _list(found: list[About], columns: int, colour: bool) -> list[str]:
    lines = []
    for market in dict.fromkeys(each.market for each in found):
        lines.append(f"Market {market}")
        for each in found:
            if each.market == market:
                lines += two_columns(each.name, each.brief, columns, colour)
        lines.append("")
    return [*lines, *wrapped("All that one sets: mmrl presets NAME. Train it: mmrl train --preset NAME.", columns)]


def _whole(preset: About, columns: int, colour: bool) -> list[str]:
    lines = [*wrapped(preset.text, columns), "", f"Market {preset.market}. It sets"]
    for key, value in preset.sets.items():
        spec = field(key, preset.market)
        lines += two_columns(
            f"{key} = {_short(value)}", f"{spec.help}. (default: {shown(spec.default)})", columns, colour
        )
    return [*lines, "", "Train it", f"  mmrl train --preset {preset.name}"]


def _short(value: str) -> str:
    """A value for people: of a long list the first numbers, and how many there are."""
    if len(value) <= LONGEST:
        return value
    numbers = value.split(",")
    return f"{','.join(numbers[:4])},... ({len(numbers)} numbers, all of them with --json)"
