"""The Quotes tab: the learned surface as lines, the best one as dots, older files as before."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrl.plots.pictures import counted_from
from mmrl.runs.episodes import write_episode
from tests.tui.conftest import drive, episode, press, screen_text
from tui.widgets.chart import Chart
from tui.widgets.quotes import surface

GOOD = Path(__file__).resolve().parents[2] / "good-results"


def surfaces(**more: Any) -> dict[str, Any]:
    inventory = np.arange(-10, 11)
    learned = 0.7 + 0.04 * inventory * np.array([[1.0], [0.8], [0.5]])
    return {
        "quotes_time": np.array([0.0, 0.5, 0.9]),
        "quotes_inventory": inventory,
        "quotes_bid": learned,
        "quotes_ask": 1.4 - learned,
        **more,
    }


async def open_quotes(app: Any, pilot: Any, name: str) -> None:
    while app.screen.subject().name != name:
        await press(app, pilot, "j")
    await press(app, pilot, "enter", "4")


@pytest.mark.parametrize("size", [(80, 24), (120, 36), (200, 60)], ids=str)
def test_learned_and_best_quotes_side_by_side(results: Path, size: tuple[int, int]) -> None:
    learned = surfaces()
    best = {"optimum_bid": learned["quotes_bid"] + 0.125, "optimum_ask": learned["quotes_ask"] - 0.0625}
    best["optimum_bid"][1, 3] = np.nan
    write_episode(results / "alpha", 40, {**episode(40), **learned, **best})

    async def script(app: Any, pilot: Any) -> None:
        await open_quotes(app, pilot, "alpha")
        charts = list(app.screen.query("QuotesView Chart").results(Chart))
        assert [c.content.title for c in charts] == [
            "bid 0 T",
            "bid 0.5 T",
            "bid 0.9 T",
            *(f"ask {t:g} T" for t in (0, 0.5, 0.9)),
        ]
        assert all(c.display and c.size.width >= 20 and c.size.height >= 6 for c in charts)
        lines = charts[4].content.series
        np.testing.assert_array_equal(lines[0].x, np.arange(-10, 11))
        np.testing.assert_allclose(lines[0].y, learned["quotes_ask"][1])
        np.testing.assert_allclose(lines[1].y, best["optimum_ask"][1])
        assert lines[1].points and not lines[0].points
        text = screen_text(app)
        assert "─ learned, ◇ optimum, at most 0.125 away" in " ".join(text.split())
        assert text.count("─ learned") == text.count("◇ optimum") == (7 if size[0] >= 100 else 1)
        await press(app, pilot, "left")  # an episode without a surface: what the trajectory shows
        text = screen_text(app)
        assert "seen in one trajectory" in text and "bid distance (currency)" in text
        assert [c.display for c in charts] == [True, True, False, False, False, False]

    drive(results, script, size)


def test_a_book_has_sizes_below_its_distances(results: Path) -> None:
    sizes = {"quotes_bid_size": np.full((3, 21), 2.0), "quotes_ask_size": np.full((3, 21), 4.0)}
    write_episode(results / "alpha", 40, {**episode(40), **surfaces(**sizes)})

    async def script(app: Any, pilot: Any) -> None:
        await open_quotes(app, pilot, "alpha")
        text = screen_text(app)
        assert "distance 0 T  ─ bid  ─ ask" in text and "shares 0.9 T" in text and "in its usual state" in text

    drive(results, script)


def test_surfaces_that_do_not_fit_are_none() -> None:
    good = surfaces()
    assert surface(good, "quotes_bid") is not None and surface(good, "optimum_bid") is None
    assert surface({**good, "quotes_bid": good["quotes_bid"][:2]}, "quotes_bid") is None
    assert surface({**good, "quotes_time": np.zeros((3, 1))}, "quotes_bid") is None
    assert surface({**good, "quotes_bid": good["quotes_bid"].astype("U8")}, "quotes_bid") is None


def test_a_shipped_run_in_the_list_and_what_its_distances_count_from(results: Path) -> None:
    """A number of the list is shown whole or not at all."""
    shutil.copytree(GOOD / "order-flow-fast", results / "flow")

    async def script(app: Any, pilot: Any) -> None:
        [row] = [line for line in screen_text(app).splitlines() if "  flow  " in line]
        assert "0.0278 " in row and "…" not in row
        await open_quotes(app, pilot, "flow")
        assert "distance from the best price of its side and size" in " ".join(screen_text(app).split())

    drive(results, script, (80, 24))
    assert counted_from(GOOD / "avellaneda-stoikov-ppo") == counted_from(results / "none") == "the mid"
