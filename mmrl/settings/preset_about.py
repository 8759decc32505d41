"""What a preset is for and what it sets; its own file says it, in the comment at its head."""

from __future__ import annotations

from dataclasses import dataclass

from mmrl.settings.fields import NAME, field, shown
from mmrl.settings.registry import default_market
from mmrl.settings.sources import preset_text, presets, read_preset


@dataclass(frozen=True)
class About:
    """A preset in words."""

    name: str
    market: str
    text: str
    sets: dict[str, str]
    """What it sets beside the market, as one would type it, by dotted key."""

    @property
    def brief(self) -> str:
        """The first sentence of the text."""
        first, found, _ = self.text.partition(". ")
        return first + "." if found else self.text


def about(name: str) -> About:
    """What a preset says of itself; raises ConfigError for an unknown name."""
    values = read_preset(name)
    market = str(values.get(NAME, default_market()))
    lines = preset_text(name).splitlines()
    head = next((at for at, line in enumerate(lines) if not line.startswith("#")), len(lines))
    text = " ".join(line.removeprefix("#").strip() for line in lines[:head])
    keys = [key for key in values if key != NAME]
    return About(name, market, text, {field(key, market).key: shown(values[key]) for key in keys})


def all_about() -> list[About]:
    """All presets, those of one market together, the default market first."""
    from mmrl.settings.registry import markets

    order = markets()
    return sorted(map(about, presets()), key=lambda preset: (order.index(preset.market), preset.name))
