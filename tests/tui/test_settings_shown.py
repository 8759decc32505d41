"""Where settings are shown: what a search finds names its group, Config can show only what was changed, a preset says
what it is for, and no class of ours means something else to the toolkit."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.widgets import Input, Label, OptionList, Static

from mmrl.settings.fields import fields
from mmrl.settings.preset_about import about
from tests.tui.conftest import drive, make_run, press, screen_text, select
from tui.screens.dialogs import Ask, Blank, Confirm
from tui.widgets.config_and_log import ConfigTable
from tui.widgets.fields import FieldRow


async def until(pilot: Any, true: Callable[[], bool]) -> None:
    """Wait until something is true: a search shows what it finds a moment later."""
    for _ in range(100):
        await pilot.pause(0.05)
        if true():
            return
    raise AssertionError("it never became true")


def test_what_a_search_finds_names_its_group_and_the_chosen_market_comes_first(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        def keys() -> list[str]:
            return [row.spec.key for row in app.screen.query(FieldRow)]

        await press(app, pilot, "n")
        assert keys()[0] == "market.name" and "Market ·" not in screen_text(app)
        search = app.screen.query_one("#search", Input)
        search.value = "volatility"
        await until(pilot, lambda: keys()[:1] == ["market.volatility"])
        assert "market.efficient_volatility" in keys()  # of another market, further down
        await until(pilot, lambda: "Market: book · Standard deviation" in " ".join(screen_text(app).split()))
        search.value = "learning rate"
        await until(pilot, lambda: "training.lr" in keys())
        await until(pilot, lambda: "Training · Learning rate (default 0.003" in " ".join(screen_text(app).split()))
        assert_plain(app)
        search.value = ""
        await until(pilot, lambda: keys()[:1] == ["market.name"])
        await says_what_a_preset_is_for(app, pilot)

    drive(results, script, (100, 30))


async def says_what_a_preset_is_for(app: Any, pilot: Any) -> None:
    assert about("quickstart").brief[:60] in " ".join(screen_text(app).split())
    await press(app, pilot, "ctrl+o")
    names = app.screen.choices
    assert names[0] == "amzn" and names[-1] == "(defaults)"
    app.screen.query_one(OptionList).highlighted = names.index("order-flow-small")
    await pilot.pause()
    text = str(app.screen.query_one("#about", Static).content)
    assert about("order-flow-small").brief in text
    assert "Market order-flow, sets nt 100, levels 1" in text and text.endswith(".")
    assert_plain(app)
    await press(app, pilot, "enter")
    await until(pilot, lambda: "case that is solved exactly" in screen_text(app))


def test_config_shows_only_what_was_changed_on_a_key(results: Path) -> None:
    folder = make_run(results, "own", settings={"market.name": "avellaneda-stoikov", "market.sigma": 3.0})

    async def script(app: Any, pilot: Any) -> None:
        select(app, folder)
        await press(app, pilot, "enter", "5")
        table = app.screen.query_one(ConfigTable)

        def keys() -> list[str]:
            return [str(table.get_row_at(at)[0]).strip("* ") for at in range(table.row_count)]

        everything = keys()
        assert everything == [spec.key for spec in fields("avellaneda-stoikov")]
        assert [key.startswith("market.") for key in everything] == sorted(
            (key.startswith("market.") for key in everything), reverse=True
        )
        await press(app, pilot, "c")
        assert keys() == ["market.name", "market.sigma", "training.ne"]
        await press(app, pilot, "c")
        assert keys() == everything

    drive(results, script)


def variants(widget: Any) -> set[str]:
    """Classes that the toolkit's own styles of a kind of widget know."""
    found: set[str] = set()
    for kind in type(widget).__mro__:
        if kind.__module__.startswith("textual"):
            found |= set(re.findall(r"(?:&|\b[A-Z]\w+)\.([a-z][\w-]*)", kind.__dict__.get("DEFAULT_CSS", "")))
    return found


def assert_plain(app: Any) -> None:
    """No class of ours is a variant of the toolkit, which would colour what is not wrong."""
    for widget in app.screen.query("*"):
        assert not widget.classes & variants(widget), widget
    for label in app.screen.query(Label):
        assert label.styles.background.a == 0, label


def test_no_class_of_ours_is_a_variant_of_the_toolkit(results: Path) -> None:
    assert {"error", "success"} <= variants(Label())

    async def script(app: Any, pilot: Any) -> None:
        assert_plain(app)
        for dialog in (Ask("Change", [Blank("lr", "Learning rate", "1")], "detail"), Confirm("Stop?", "detail")):
            await app.push_screen(dialog)
            await pilot.pause()
            assert_plain(app)

    drive(results, script)
