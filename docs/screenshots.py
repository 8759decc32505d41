"""Draws the pictures of README from the shipped run: `make screenshots`."""

import asyncio
from functools import partial
from pathlib import Path

from mmrl.display.frame import Frame
from mmrl.display.progress import Progress
from mmrl.plots.charts import DRAWN
from mmrl.plots.episodes import episode_figure
from mmrl.plots.svg import terminal_svg
from mmrl.runs.episodes import read_episode
from mmrl.runs.history import read_metrics
from mmrl.settings.model import Config

ROOT = Path(__file__).resolve().parent.parent
RUN = ROOT / "good-results" / "quickstart"


def live(width: int = 120, height: int = 32) -> str:
    """The live view as it stands after two thirds of the run."""
    records = read_metrics(RUN / "metrics.jsonl")
    now = records[len(records) * 2 // 3]["wall"]
    times = iter(record["wall"] - now for record in records)
    progress = Progress(clock=lambda: 0.0, history=DRAWN)
    progress.start(Config(), RUN, len(records))
    progress.started = next(times)
    for record in records[: len(records) * 2 // 3 + 1]:
        progress.clock = partial(float, record["wall"] - now)
        progress.add(record)
    rows = Frame(progress).rows(width, height, colour=True)
    return terminal_svg("\n".join(rows), width, "mmrl train --preset quickstart")


def episode(width: int = 120, height: int = 36) -> str:
    """`mmrl plot --what episode` of the last epoch."""
    picture = episode_figure(read_episode(RUN), width, height, unit="ms")
    return terminal_svg(picture, width, "mmrl plot good-results/quickstart --what episode")


def tui(tab: str = "charts", keys: tuple[str, ...] = (), width: int = 120, height: int = 34) -> str:
    """The run screen of `mmrl tui`, smoothed, after some keys."""
    from tui.app import MmrlApp
    from tui.screens.run import RunScreen

    async def shoot() -> str:
        app = MmrlApp(ROOT / "results")
        settings = app.session.settings
        settings.smoothing, settings.metric = 0.8, "explained_variance"
        settings.save = lambda: None  # type: ignore[method-assign]
        async with app.run_test(size=(width, height)) as pilot:
            app.push_screen(RunScreen(app.session, RUN, tab))
            await pilot.pause(1)
            for key in keys:
                await pilot.press(key)
                await pilot.pause(0.2)
            return app.export_screenshot(title="mmrl tui")

    return asyncio.run(shoot())


def book() -> str:
    """The order book of the last saved epoch, a few trades into the trajectory."""
    return tui("book", ("greater_than_sign",) * 4 + ("n",) * 3)


if __name__ == "__main__":
    for name, draw in (("live", live), ("episode", episode), ("tui", tui), ("book", book)):
        path = ROOT / "docs" / f"{name}.svg"
        path.write_text(draw(), encoding="utf-8")
        print(f"wrote {path.relative_to(ROOT)}")
