"""The Book tab: every level near the mid with the maker's shares in it, step by step; older files as before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mmrl.runs.book_recording import BookRecording
from mmrl.runs.episodes import write_episode
from tests.tui.conftest import drive, episode, press, screen_text
from tui.widgets.ladder import LEVELS, book_rows


def replay() -> BookRecording:
    """Four steps of a small book: the maker joins, is hit on its bid, then its ask is lifted with others'."""
    changes = [  # step, ticks, shares, own
        *((0, price, 10 * (k + 1), 0) for k, price in enumerate((99, 98, 96))),
        *((0, price, -10 * (k + 1), 0) for k, price in enumerate((103, 104, 107))),
        (1, 99, 14, 4),
        (1, 102, -3, 3),
        (2, 99, 12, 2),
        (3, 102, 0, 0),
        (3, 103, -7, 0),
    ]
    step, price, shares, own = np.array(changes, np.int32).T
    return BookRecording(
        step=np.arange(4, dtype=np.int32),
        time=np.arange(4) * 0.5,
        mid=np.array([10.1, 10.11, 10.1, 10.12]),
        bid=np.array([9.9, 9.9, 9.9, 9.9]),
        ask=np.array([10.3, 10.2, 10.2, 10.3]),
        inventory=np.array([0, 0, 2, -1], np.int32),
        wealth=np.array([0.0, 0.0, -19.8, 10.8]),
        tick=np.array([0.1]),
        offsets=np.concatenate([[0], np.searchsorted(step, np.arange(4), "right")]).astype(np.int32),
        price=price,
        shares=shares,
        own=own,
        fill_step=np.array([1, 2], np.int32),
        fill_time=np.array([0.5, 1.0]),
        fill_shares=np.array([2, -3], np.int32),
        fill_price=np.array([9.9, 10.2], np.float32),
    )


def test_rows_are_the_levels_or_groups_of_them() -> None:
    asks, bids = book_rows(replay(), 1, LEVELS, 3)
    assert asks == [(102, -3, 3), (103, -10, 0), (104, -20, 0)]
    assert bids == [(99, 14, 4), (98, 20, 0), (96, 30, 0)]
    asks, bids = book_rows(replay(), 3, LEVELS, 3)
    assert asks == [(103, -7, 0), (104, -20, 0), (107, -30, 0)] and bids[0] == (99, 12, 2)
    asks, bids = book_rows(replay(), 1, 5, 2)
    assert asks == [(105, -33, 3), (110, -30, 0)]  # 102, 103 and 104 lie no nearer than 105 says
    assert bids == [(95, 64, 4), (90, 0, 0)]
    asks, _ = book_rows(replay(), 1, 1, 4)
    assert [price for price, _, _ in asks] == [102, 103, 104, 105] and asks[3] == (105, 0, 0)


def test_the_book_is_played_and_searched_for_trades(results: Path) -> None:
    write_episode(results / "alpha", 40, {**episode(40), **replay().arrays()})

    async def script(app: Any, pilot: Any) -> None:
        app.screen.table.move_cursor(row=0)
        while app.screen.subject().name != "alpha":
            await press(app, pilot, "j")
        await press(app, pilot, "enter", "3")
        text = screen_text(app)
        assert "step 1/4" in text and "every level" in text and "10.3" in text and "4/14" not in text
        await press(app, pilot, "n")  # the trade of step 1 is seen in step 2
        text = screen_text(app)
        assert "step 3/4" in text and "bought      2 at 9.9" in text and "2/12" in text and "▒" in text
        await press(app, pilot, "n")
        text = screen_text(app)
        assert "step 4/4" in text and "sold        3 at 10.2" in text and "inventory -1" in text
        await press(app, pilot, "N", "left")
        assert "step 2/4" in screen_text(app) and "4/14" in screen_text(app) and "3/3" in screen_text(app)
        await press(app, pilot, "z", "z", "z")
        assert "0.5 per row" in screen_text(app) and "4/64" in screen_text(app)
        await press(app, pilot, "Z", "Z", "Z", "Z")
        assert "every level" in screen_text(app)
        await press(app, pilot, "space")
        await pilot.pause(0.6)
        assert "step 4/4" in screen_text(app) and "paused" in screen_text(app)  # stops at the end
        await press(app, pilot, "left_curly_bracket")  # an episode without a book
        text = screen_text(app)
        assert "epoch 20" in text and "/50" in text and "every level" not in text and "▓▓▓" in text
        for width, height in ((80, 24), (200, 60), (60, 20)):
            await press(app, pilot, "right_curly_bracket")
            await pilot.resize_terminal(width, height)
            await pilot.pause(0.1)
            assert "every level" in screen_text(app)

    drive(results, script)


def test_a_replay_that_contradicts_itself_is_left_out(results: Path) -> None:
    broken = {**replay().arrays(), "book_offsets": np.array([0, 99, 3, 4, 5], np.int32)}
    write_episode(results / "alpha", 40, {**episode(40), **broken})

    async def script(app: Any, pilot: Any) -> None:
        while app.screen.subject().name != "alpha":
            await press(app, pilot, "j")
        await press(app, pilot, "enter", "3")
        text = screen_text(app)
        assert "every level" not in text and "step 1/50" in text

    drive(results, script)
