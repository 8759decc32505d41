"""Run folders made by hand, a clock that stands still, and screens as text."""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections.abc import Awaitable, Callable
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from mmrl.runs.episodes import write_episode
from mmrl.settings.fields import FieldSpec, fields
from mmrl.settings.sources import dump_toml, resolve

NOW = 1_800_000_000.0
SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of whoever runs the tests is read, nothing moves by itself, the time is fixed."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("TEXTUAL_ANIMATIONS", "none")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("MMRL_CHARS", raising=False)
    monkeypatch.setattr("tui.widgets.cells.time.time", lambda: NOW)
    monkeypatch.chdir(tmp_path)


def record(epoch: int, **more: Any) -> dict[str, Any]:
    """One line of metrics, a smooth function of the epoch."""
    value = 100 * (1 - math.exp(-epoch / 12)) + 3 * math.sin(epoch)
    return {
        "epoch": epoch,
        "trajectories": 100,
        "steps": 5_000,
        "reward_mean": value / 10,
        "reward_std": 4.0,
        "value_mean": value,
        "value_std": 20.0,
        "reward_half": 0.4,
        "value_half": 2.0,
        "inventory_half": 0.6,
        "spread_half": 0.03,
        "inventory_mean": 5 * math.sin(epoch / 5),
        "inventory_std": 6.0,
        "spread_mean": 2 - epoch / 100,
        "spread_std": 0.3,
        "entropy": 0.5 - epoch / 200,
        "learning_rate": 0.003,
        "seconds_rollout": 0.1,
        "seconds_update": 0.2,
        "steps_per_second": 16_000.0,
        **more,
    }


def make_run(
    root: Path,
    name: str,
    epochs: int = 40,
    state: str = "finished",
    settings: dict[str, Any] | None = None,
    episodes: tuple[int, ...] = (20, 40),
    age: float = 3600.0,
    origins: dict[str, str] | None = None,
) -> Path:
    """A run folder as training would leave it."""
    folder = root / name
    folder.mkdir(parents=True)
    config, found = resolve({"training.ne": 40, **(settings or {})})
    (folder / "config.toml").write_text(dump_toml(config, {**found, **(origins or {})}, {"id": f"id-{name}"}))
    status = {"state": state, "pid": 1, "epoch": epochs, "target": 40, "started": NOW - 9_000, "updated": NOW - age}
    (folder / "status.json").write_text(json.dumps(status))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record(e)) + "\n" for e in range(1, epochs + 1)))
    for epoch in episodes:
        write_episode(folder, epoch, episode(epoch))
    return folder


def episode(epoch: int, points: int = 50) -> dict[str, np.ndarray]:
    """An episode whose curves are told apart by eye."""
    time = np.arange(points, dtype=float)
    mid = 533 + 0.01 * np.sin(time / 5)
    inventory = np.round(3 * np.sin(time / 8))
    series = {
        "mid": mid,
        "bid": mid - 0.5 - 0.001 * epoch,
        "ask": mid + 0.5 + 0.001 * epoch,
        "spread": np.full(points, 1.0 + 0.002 * epoch),
        "wealth": -533 * inventory,
        "inventory": inventory,
        "value": time * 0.3,
    }
    arrays = {"time": time, "alive": np.full(points, 100)}
    for name, values in series.items():
        arrays[f"{name}_mean"] = arrays[f"replay_{name}"] = values
        arrays[f"{name}_se"] = np.full(points, 0.1)
        arrays[f"{name}_q05"], arrays[f"{name}_q95"] = values - 0.2, values + 0.2
    return arrays


@pytest.fixture
def results() -> Path:
    """Three runs in the present folder: finished, stopped half-way, diverged."""
    root = Path("results")
    make_run(root, "alpha")
    make_run(root, "beta", epochs=17, state="interrupted", settings={"training.lr": 0.01}, age=7_200, episodes=(10,))
    make_run(root, "gamma", epochs=5, state="diverged", settings={"market.name": "avellaneda-stoikov"}, age=90_000)
    return root


def screen_text(app: Any) -> str:
    """What the terminal shows, line by line."""
    lines = ["".join(segment.text for segment in strip) for strip in app.screen._compositor.render_strips()]
    return "\n".join(line.rstrip() for line in lines) + "\n"


@pytest.fixture
def short_form(monkeypatch: pytest.MonkeyPatch) -> None:
    """A form with four settings of the market instead of forty: it opens in a fraction of the time."""
    kept = ("name", "nt", "dt", "midprice")

    def few(market: str = "") -> list[FieldSpec]:
        return [spec for spec in fields(market) if spec.group != "market" or spec.name in kept]

    monkeypatch.setattr("tui.form.fields", few)


Script = Callable[[Any, Any], Awaitable[None]]


def drive(
    results: Path, script: Script, size: tuple[int, int] = (120, 36), messages: bool = False, package: str = "tui"
) -> None:
    """Run the application on a folder and act on it; its messages are shown only where they are asked for.

    `package` is its name: mmrl.tui where it is installed.
    """

    async def run() -> None:
        app = import_module(f"{package}.app").MmrlApp(results)
        async with app.run_test(size=size, notifications=messages) as pilot:
            await settled(app, pilot)
            cast(Any, app.screen).tick()  # the preview waits a moment otherwise
            await pilot.pause()
            await script(app, pilot)
            app.workers.cancel_all()  # as quitting does, but not the end of a test

    asyncio.run(run())


async def settled(app: Any, pilot: Any) -> None:
    """Wait until all runs are read and drawn."""
    for _ in range(100):
        await pilot.pause(0.01)
        if not app.session.runs.loading:
            break
    app.poll_runs()
    await pilot.pause()


async def press(app: Any, pilot: Any, *keys: str) -> None:
    """Press keys, and let the screens take them in."""
    for key in keys:
        await pilot.press(key)
        while app.typing:
            await pilot.pause(0.001)
    await pilot.pause()
    if hasattr(app.screen, "tick"):
        app.screen.tick()
    await pilot.pause()


def check_snapshot(name: str, text: str, kind: str = "txt") -> None:
    """Compare with the file of that name; UPDATE_SNAPSHOTS=1 writes it instead."""
    path = SNAPSHOTS / f"{name}.{kind}"
    if os.environ.get("UPDATE_SNAPSHOTS"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, f"{path} differs; UPDATE_SNAPSHOTS=1 accepts what is there now"


def select(app: Any, folder: Path) -> None:
    """Put the cursor of the list of runs on a run."""
    app.screen.table.move_cursor(row=app.screen.table.order.index(str(folder)))


async def wheel(pilot: Any, offset: tuple[int, int], up: bool = True) -> None:
    """Turn the wheel once over a place of the screen."""
    from textual import events

    kind = events.MouseScrollUp if up else events.MouseScrollDown
    await pilot._post_mouse_events([kind], offset=offset, button=0)
