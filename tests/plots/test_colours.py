"""One table of colours: nobody else names one, and CLI, UI, figures and pictures agree on bid, ask and the others."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from mmrl.plots import charts, episodes, svg
from mmrl.plots.colours import HUES, RUNS, THINGS, of_run, place_of, place_of_run, thing_of
from mmrl.plots.lines import tint_of
from tui.themes import series_colour, thing_colour

ROOT = Path(__file__).parents[2]
OWN = ("mmrl/plots/colours.py", "mmrl/plots/svg.py", "tui/themes.py")  # the table, a window's frame, the themes


def test_nobody_else_names_a_colour() -> None:
    found = []
    for path in [*(ROOT / "mmrl").rglob("*.py"), *(ROOT / "tui").rglob("*.*css"), *(ROOT / "tui").rglob("*.py")]:
        place = path.relative_to(ROOT).as_posix()
        if place not in OWN and re.search(r"#[0-9a-fA-F]{6}\b", path.read_text(encoding="utf-8")):
            found.append(place)
    assert found == []


def test_hues_are_told_apart() -> None:
    for field in ("dark", "light", "number"):
        assert len({getattr(hue, field) for hue in THINGS.values()}) == len(THINGS)
        assert len({getattr(hue, field) for hue in RUNS}) == len(RUNS)
    assert all(hue.tint != hue.number for hue in HUES)


def luminance(colour: str) -> float:
    parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize(("field", "background"), [("dark", "#101418"), ("light", "#FBFBF9")])
def test_hues_are_readable(field: str, background: str) -> None:
    for hue in HUES:  # WCAG: at least 3 to 1 for graphics
        levels = sorted((luminance(getattr(hue, field)), luminance(background)))
        assert (levels[1] + 0.05) / (levels[0] + 0.05) >= 3, hue


def test_a_thing_has_its_colour_everywhere() -> None:
    for thing, hue in THINGS.items():
        assert series_colour(place_of(thing), True) == thing_colour(thing, True) == hue.dark == svg.hue(hue.number)
        assert series_colour(place_of(thing), False) == thing_colour(thing, False) == hue.light
        assert tint_of(hue.number) == hue.tint
    assert series_colour(place_of_run(1), False) == of_run(1).light
    arrays = {"time": np.arange(3.0), **{f"{name}_mean": np.arange(3.0) for name in episodes.QUOTES}}
    drawn = {line.label: line.colour for line in episodes.quote_lines(arrays, False)}
    assert drawn == {name: THINGS[name].number for name in ("bid", "ask", "mid")}
    rows = [{"epoch": k, "inventory_mean": k, "optimality": 1.0, "kl": k} for k in range(3)]
    found = [charts.metric_line(rows, name).colour for name in ("inventory", "optimality", "kl")]
    assert found == [THINGS[thing].number for thing in ("inventory", "optimum", "other")]
    assert [thing_of(m) for m in ("reward_mean", "final_inventory", "value")] == ["reward", "inventory", "value"]


def test_figures_have_the_same_colours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from matplotlib.axes import Axes

    from mmrl.plots import figures

    used: dict[str, object] = {}
    plot = Axes.plot

    def spy(self: Axes, *given: object, **more: object) -> object:
        used[str(more.get("label"))] = more.get("color")
        return plot(self, *given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(Axes, "plot", spy)
    arrays = {"time": np.arange(4.0)}
    for name in ("mid", "bid", "ask", "inventory"):
        arrays |= {f"{name}_mean": np.arange(4.0), f"replay_{name}": np.arange(4.0)}
    figures.episode_plot(arrays, "name", tmp_path / "e.png", book_only=True)
    assert {name: used[name] for name in ("bid", "ask", "mid")} == {n: THINGS[n].light for n in ("bid", "ask", "mid")}


def test_several_runs_have_tints_of_their_own() -> None:
    rows = [{"epoch": k, "reward_mean": k, "reward_half": 2.0} for k in range(30)]
    text = charts.comparison_figure({"a": rows, "b": [{**r, "reward_mean": -r["epoch"]} for r in rows]}, ("reward",))
    assert f"\x1b[38;5;{of_run(0).tint}m" in text and f"\x1b[38;5;{of_run(1).tint}m" in text
