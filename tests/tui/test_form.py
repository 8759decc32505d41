"""What a form knows: which fields do nothing and why, and how much time and memory a run will take."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input, Label

from mmrl.runs.control import read_control
from mmrl.runs.lock import RunLock
from mmrl.settings.fields import field
from tests.tui.conftest import drive, make_run, press, screen_text, select
from tui.app import MmrlApp, run
from tui.form import Draft, demand_of
from tui.processes import NotStarted
from tui.widgets.fields import FieldRow


def unused(**texts: str) -> dict[str, str]:
    draft = Draft()
    draft.texts.update({key.replace("__", "."): text for key, text in texts.items()})
    return {key: reason.removeprefix("not used: ") for key, reason in draft.inactive().items()}


@pytest.mark.parametrize(
    ("texts", "idle", "used"),
    [
        ({}, {"market.sigma": "the market is book", "reward.damping": "the utility dampens nothing"}, "reward.final"),
        (
            {"reward__utility": "damped-symmetric"},
            {"reward.immediate": "the utility says what is paid"},
            "reward.damping",
        ),
        ({"reward__utility": "damped"}, {"reward.inventory_penalty": "the utility has no such part"}, "reward.damping"),
        ({"reward__utility": "cara"}, {"reward.add_time": "steps pay nothing"}, "reward.risk_aversion"),
        (
            {"reward__utility": "mean-variance"},
            {"reward.always_final": "nothing is paid at the end"},
            "reward.risk_aversion",
        ),
        ({"reward__immediate": "none"}, {"reward.add_inventory": "steps pay nothing"}, "reward.always_final"),
        ({"reward__final": "none"}, {"reward.always_final": "nothing is paid at the end"}, "reward.add_time"),
        ({"training__noclip": "true"}, {"training.clip": "the ratio is not clipped"}, "training.noclip"),
        ({"training__algorithm": "reinforce"}, {"training.clip": "the algorithm is reinforce"}, "training.lr"),
        ({"training__td": "true"}, {"reward.cara_alpha": "the final reward is not cara"}, "training.lambd"),
        ({"policy__kind": "categorical"}, {"market.delta_scale": "the policy is categorical"}, "market.size_grid"),
        (
            {"market__name": "avellaneda-stoikov", "policy__kind": "categorical", "market__delta_grid": "0.5,1"},
            {
                "market.skew": "distances are chosen from delta_grid as they are",
                "market.size_grid": "the market is avellaneda-stoikov",
            },
            "market.delta_grid",
        ),
    ],
)
def test_fields_that_do_nothing_say_why(texts: dict[str, str], idle: dict[str, str], used: str) -> None:
    found = unused(**texts)
    assert {key: found.get(key) for key in idle} == idle
    assert used not in found


def test_the_estimate_is_there_when_all_fields_can_be_read() -> None:
    draft = Draft()
    draft.texts.update({"market.nt": "10000", "training.nb": "100"})
    found = demand_of(draft)
    assert found is not None and found.steps == 1e8
    assert found.memory == pytest.approx(339e6, rel=0.1)  # a measured peak
    draft.texts["market.nt"] = "many"
    assert demand_of(draft) is None


@pytest.mark.usefixtures("short_form")
def test_the_form_says_time_and_memory(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmrl.runs.machine.memory", lambda: 2e9)

    async def script(app: Any, pilot: Any) -> None:
        await press(app, pilot, "n", "ctrl+o", "end", "enter")  # from the defaults
        text = screen_text(app)
        # 1000 steps of 100 trajectories in 100 epochs at 16 000 a second, the speed of the runs in the folder
        assert "at most 10M steps · about 10m25s at the speed of earlier runs · about 210 MB" in text, text
        await press(app, pilot, "ctrl+f", *"nt", "enter")
        field = app.screen.query("FieldRow Input").first(Input)
        field.value = "1000000"
        await pilot.pause(0.1)
        assert "GB, more than the 2.0 GB there are" in screen_text(app)
        await pilot.resize_terminal(80, 24)
        await pilot.pause(0.1)
        assert "$ mmrl train" in screen_text(app)

    drive(results, script, (140, 36))


def test_another_market_shows_its_own_settings_with_its_defaults(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        await press(app, pilot, "n", "ctrl+o", "end", "enter", "enter")
        assert "book_size" in screen_text(app)
        app.screen.query("FieldRow Select").first().value = "avellaneda-stoikov"
        await press(app, pilot)
        text = screen_text(app)
        assert "book_size" not in text and "midprice            100.0" in text, text
        assert "$ mmrl train --market avellaneda-stoikov" in text
        draft = app.screen.draft
        assert draft.changed() == {"market.name": "avellaneda-stoikov"} and not draft.errors()

    drive(results, script, (140, 36))


def test_a_preset_of_another_market_is_left_with_its_market() -> None:
    draft = Draft()
    draft.start_from("lineage")
    draft.texts["market.name"] = "avellaneda-stoikov"
    assert draft.arguments() == ["--market", "avellaneda-stoikov"]
    draft.start_from("avellaneda-stoikov")
    draft.texts["market.gamma"] = "0.2"
    assert draft.arguments() == ["--preset", "avellaneda-stoikov", "--gamma", "0.2"]


@pytest.mark.usefixtures("short_form")
def test_the_form_keeps_what_was_typed_until_it_trains(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [NotStarted("the disk is full"), {"pid": 0}]

    def start(arguments: list[str], root: Path) -> dict[str, Any]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr("tui.processes.start", start)
    changed = {"training.lr": 0.9}

    async def script(app: Any, pilot: Any) -> None:
        await press(app, pilot, "n", "ctrl+f", *"lr", "enter", *"0.9")  # a field selects its text
        assert app.screen.draft.changed() == changed
        await press(app, pilot, "escape", "escape", "escape")
        assert type(app.screen).__name__ == "RunsScreen"
        await press(app, pilot, "n")
        assert app.screen.draft.changed() == changed
        await press(app, pilot, "ctrl+r")
        assert not app.screen.draft.changed() and "0 changed" in screen_text(app)
        await press(app, pilot, "ctrl+r")
        assert app.screen.draft.changed() == changed and "1 changed" in screen_text(app)
        await press(app, pilot, "ctrl+o", "end", "enter")
        assert app.screen.draft.preset == "" and not app.screen.draft.touched
        await press(app, pilot, "ctrl+r", "ctrl+s")
        await app.workers.wait_for_complete()
        await press(app, pilot, "n")
        assert app.screen.draft.changed() == changed  # it could not start
        await press(app, pilot, "ctrl+s")
        await app.workers.wait_for_complete()
        await press(app, pilot, "n")
        assert not app.screen.draft.touched

    drive(results, script)


def test_a_dialog_of_changes_keeps_what_was_typed(results: Path) -> None:
    folder = make_run(results, "live", epochs=12, state="running")

    async def script(app: Any, pilot: Any) -> None:
        select(app, folder)
        await press(app, pilot, "e", *"0.25", "escape", "e")
        assert app.screen.query_one("#ask-lr", Input).value == "0.25"
        await press(app, pilot, "enter", "e")
        assert read_control(folder)["set"] == {"lr": 0.25}
        assert app.screen.query_one("#ask-ne", Input).value == "40"

    with RunLock(folder):
        drive(results, script)


def test_the_fields_out_of_sight_follow_unless_others_are_asked_for(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        await press(app, pilot, "n")
        form = app.screen
        while form._below:
            await pilot.pause(0.01)
        wanted = [spec.key for spec in form.draft.own() if spec.group == "market"]
        assert [row.spec.key for row in form.query("FieldRow")] == wanted and len(wanted) > 20
        await form._show()
        first = form._below
        assert 0 < len(first) < len(wanted)
        form.group = "run"
        await form._show()  # before those of the market have come
        await form._show_more(first)
        while form._below:
            await pilot.pause(0.01)
        assert {row.spec.group for row in form.query("FieldRow")} == {"run"}

    drive(results, script, (80, 24))


def test_a_field_that_is_judged_before_it_is_composed_shows_that_later_and_one_that_never_is_fails_nowhere(
    results: Path,
) -> None:
    """A form that is left within its first second removes fields that were just made."""
    spec = field("training.lr")

    async def script(app: Any, pilot: Any) -> None:
        await press(app, pilot, "n")
        row, gone = FieldRow(spec, "x"), FieldRow(spec, "x")
        for one in (row, gone):
            one.judge("not a number", "the lr is not used", True)
        gone.on_mount()
        await app.screen.query_one("#fields").mount(row)
        await pilot.pause()
        fault, note = (row.query_one(f".{name}", Label) for name in ("fault", "field-note"))
        assert fault.display and str(fault.render()) == "not a number"
        assert str(note.render()) == "the lr is not used" and row.has_class("-inactive")
        row.judge(None, None, False)
        assert not fault.display and not row.has_class("-inactive")

    drive(results, script)


def test_an_application_that_failed_ends_with_its_code(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MmrlApp, "run", lambda app: None)
    run(str(results))
    monkeypatch.setattr(MmrlApp, "run", lambda app: setattr(app, "_return_code", 1))
    with pytest.raises(SystemExit, match="1"):
        run(str(results))
