"""The cursor and the marks belong to runs: through sorting, filters, renames, the trash and what arrives meanwhile."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from textual.widgets import Input

from mmrl.runs import store
from tests.tui.conftest import drive, make_run, press, select, settled
from tui.run_index import RunIndex, place_of


def current(app: Any) -> str:
    return Path(app.screen.table.current or "").name


def marked(app: Any) -> list[str]:
    return [Path(key).name for key in app.screen._shown_marks()]


async def looked(app: Any, pilot: Any) -> None:
    """Runs at rest are read at every fourth poll."""
    for _ in range(5):
        app.poll_runs()
    await pilot.pause()


def test_the_cursor_and_the_marks_stay_on_their_runs(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        app.session.settings.change(sort="name")
        app.screen.runs_changed(set(), set())
        select(app, results / "alpha")
        await press(app, pilot, "space")
        select(app, results / "beta")
        await press(app, pilot, "space", "k")
        assert current(app) == "alpha" and marked(app) == ["alpha", "beta"]

        await press(app, pilot, "R")
        app.screen.query_one("#ask-name", Input).value = "zeta"
        await press(app, pilot, "enter")
        assert [Path(key).name for key in app.screen.table.order] == ["beta", "gamma", "zeta"]
        assert current(app) == "zeta" and marked(app) == ["zeta", "beta"]

        (results / "zeta").rename(results / "another")  # by another program
        await looked(app, pilot)
        assert current(app) == "another" and marked(app) == ["another", "beta"]

        await press(app, pilot, "O", "o", "o")
        make_run(results, "newer", age=1)
        await settled(app, pilot)
        assert current(app) == "another"

        await press(app, pilot, "slash", *"gam")
        assert current(app) == "gamma"  # the only one that is shown
        await press(app, pilot, "escape")
        assert current(app) == "another"
        await press(app, pilot, "slash", *"gam", "enter", "escape")
        assert current(app) == "gamma"  # Enter took it

        select(app, results / "another")
        await press(app, pilot, "delete", "y")
        assert current(app) != "another" and marked(app) == ["beta"]
        await press(app, pilot, "u")
        assert current(app) == "another" and marked(app) == ["another", "beta"]

    drive(results, script)


def test_a_run_that_is_expanded_under_another_name_keeps_the_cursor(results: Path) -> None:
    generated = "MC_40-100-1000_gaus-ppo-clip-norm-adv_W"
    make_run(results, generated, settings={"run.seed": 1}, episodes=())
    make_run(results, "MC_2", episodes=())  # between its names

    async def script(app: Any, pilot: Any) -> None:
        app.session.settings.change(sort="name")
        app.screen.runs_changed(set(), set())
        select(app, results / generated)
        await pilot.pause()
        new = store.expanded(results / generated, 60)
        assert new.name != generated
        await looked(app, pilot)
        assert current(app) == new.name

    drive(results, script)


def test_a_new_run_in_the_place_of_a_deleted_one_is_not_taken_for_it(results: Path) -> None:
    runs = RunIndex(results)
    while runs.poll() and runs.busy:
        pass
    old = str(results / "alpha")
    entry = runs.entries[old]
    shutil.rmtree(old)
    runs.poll()
    make_run(results, "next")
    runs._gone = {place_of(results / "next"): (old, entry.info.id)}  # the file system gave its inode away again
    runs.poll()
    assert runs.now(old) == old


def test_a_started_run_is_named_and_gets_the_cursor(results: Path, monkeypatch: Any) -> None:
    def start(arguments: list[str], root: Path) -> dict[str, Any]:
        folder = make_run(results, "fresh", epochs=1, state="running")
        (folder / "status.json").write_text((folder / "status.json").read_text().replace('"pid": 1', '"pid": 4711'))
        return {"pid": 4711}

    monkeypatch.setattr("tui.processes.start", start)
    monkeypatch.setattr("tui.run_index.is_locked", lambda folder: folder.name == "fresh")
    monkeypatch.setattr("mmrl.runs.status.is_locked", lambda folder: folder.name == "fresh", raising=False)

    async def script(app: Any, pilot: Any) -> None:
        select(app, results / "gamma")
        await press(app, pilot, "n", "ctrl+s")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "training fresh in process 4711" in [note.message for note in app._notifications]
        assert current(app) == "fresh"
        assert not app.session.drafts

    drive(results, script)
