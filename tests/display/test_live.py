"""Views of a run: sizes, JSON lines, plain lines, hostile names, and no waiting in the training thread."""

import io
import json
import math
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console

from mmrl.display.frame import Frame
from mmrl.display.json_lines import JsonView, finite
from mmrl.display.live import LiveView
from mmrl.display.plain import PlainView
from mmrl.display.progress import Progress
from mmrl.plots.charts import DRAWN, panels_of, training_figure
from mmrl.plots.text import duration
from mmrl.runs.history import read_metrics
from mmrl.settings.model import Config

CONFIG = Config()
HOSTILE = "[red]x[bold]\x1b[2J\n"


def record(epoch: int, value: float = 1.0) -> dict:
    return {
        "epoch": epoch,
        "value_mean": value,
        "value_half": 0.5,
        "reward_mean": 2.0,
        "steps_per_second": 1.2e7,
    }


def progress(count: int, name: str = "run") -> Progress:
    shown = Progress(history=DRAWN)
    shown.start(CONFIG, Path("results") / name, 10)
    for epoch in range(1, count + 1):
        shown.add(record(epoch, 10.0 - abs(epoch - 3)))
    return shown


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 36), (200, 60), (20, 4), (10, 1)])
@pytest.mark.parametrize("count", [0, 1, 5])
def test_frame_fits(width: int, height: int, count: int) -> None:
    rows = Frame(progress(count)).rows(width, height, colour=False)
    assert len(rows) == height
    assert {len(row) for row in rows} == {width}


def test_progress_line() -> None:
    line = progress(5).line()
    assert "epoch 5/10" in line
    assert "12M steps/s" in line
    assert "value 8 ± 0.5" in line
    assert "best 10 @3" in line
    assert len(progress(5).line(30)) <= 30


def test_the_last_known_optimality_is_in_the_line() -> None:
    shown = progress(2)
    assert "optimality" not in shown.line()
    shown.add({"epoch": 3, "value_mean": 57.0, "optimality": 0.9971})
    shown.add({"epoch": 4, "value_mean": 57.0})
    assert "optimality 99.71 %" in shown.line()


def test_hostile_name_is_text() -> None:
    text = "\n".join(Frame(progress(3, HOSTILE)).rows(80, 24, colour=False))
    assert "[red]x[bold] [2J" in text
    assert "\x1b" not in text


def test_live_view_draws_and_restores(monkeypatch: pytest.MonkeyPatch) -> None:
    screen, out = io.StringIO(), io.StringIO()
    console = Console(width=80, height=24, file=screen, force_terminal=True, color_system=None, no_color=True)
    with LiveView(console, rate=50, out=out) as view:
        view.start(CONFIG, Path("results/run"), 3)
        view.note("compiling")
        time.sleep(0.1)
        assert "compiling" in screen.getvalue()
        for epoch in range(1, 4):
            view.epoch(record(epoch))
        time.sleep(0.2)
        view.finish({"run": "run", "state": "finished", "epochs": 3})
    drawn = screen.getvalue()
    assert "\x1b[?1049h" in drawn  # the alternate screen was entered and left
    assert "\x1b[?1049l" in drawn
    assert "epoch 3/3" in drawn
    assert "\x1b[38" not in drawn
    assert out.getvalue().startswith("run: finished after epoch 3")


def test_only_changed_lines_are_written() -> None:
    screen = io.StringIO()
    console = Console(width=80, height=24, file=screen, force_terminal=True, color_system="256")
    view = LiveView(console, out=io.StringIO())
    for epoch in range(1, 9):
        view.epoch(record(epoch))
    view.paint()
    length = len(screen.getvalue())
    view.paint()
    assert len(screen.getvalue()) == length
    view.note("paused")
    view.paint()
    assert "paused" in screen.getvalue()[length:]
    assert len(screen.getvalue()) - length < 150


def test_views_that_draw_nothing_keep_no_past_however_long_a_run_is() -> None:
    for view in (PlainView(out=io.StringIO(), err=io.StringIO()), JsonView(io.StringIO(), io.StringIO())):
        for epoch in range(1, 31):
            view.epoch(record(epoch, 100.0 + epoch))
        assert not view.progress.records and view.progress.last["epoch"] == 30
        assert view.progress.best == 130.0 and "after epoch 30" in view.progress.outcome(view.progress.summary())


def test_live_charts_keep_of_every_epoch_what_they_draw_and_no_more() -> None:
    rows = read_metrics(Path(__file__).parents[2] / "good-results" / "avellaneda-stoikov-ppo" / "metrics.jsonl")
    view = LiveView(Console(width=80, height=24, file=io.StringIO()), out=io.StringIO())
    view.past(rows)
    kept = view.progress.records
    assert panels_of(kept) == panels_of(rows) == ("reward", "inventory", "spread", "optimality")
    assert training_figure(kept, panels_of(kept), 120, 36, True) == training_figure(
        rows, panels_of(rows), 120, 36, True
    )
    assert max(len(row) for row in kept) < len(rows[-1]) / 2


def test_past_epochs_are_drawn_but_not_timed() -> None:
    view = LiveView(Console(width=80, height=24, file=io.StringIO()), out=io.StringIO())
    view.past([record(epoch, 100.0 + epoch) for epoch in range(1, 31)])
    assert len(view.progress.records) == 30
    assert view.progress.best == 130.0
    assert math.isnan(view.progress.left())
    view.epoch(record(31))
    assert view.progress.epoch == 31
    assert len(view.progress._times) == 1
    out = io.StringIO()
    with JsonView(out, io.StringIO()) as other:
        other.past([record(1, 7.0)])
        assert out.getvalue() == ""
        other.epoch(record(2, 5.0))
        other.finish({"state": "finished"})
    assert json.loads(out.getvalue().splitlines()[-1])["best"] == {"value_mean": 7.0, "epoch": 1}


def test_an_ascii_terminal_gets_ascii() -> None:
    raw = io.BytesIO()
    screen = io.TextIOWrapper(raw, encoding="ascii")
    view = LiveView(Console(width=80, height=24, file=screen), out=io.StringIO())
    for epoch in range(1, 9):
        view.epoch(record(epoch))
    view.paint()
    assert b"epoch 8" in raw.getvalue()
    assert b"+--" in raw.getvalue()


def test_prints_appear_when_the_terminal_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr("sys.stderr", screen)
    console = Console(width=80, height=24, file=screen, force_terminal=True)
    with LiveView(console, out=io.StringIO()) as view:
        view.start(CONFIG, Path("run"), 10)
        print("a warning", file=sys.stderr)
        assert sys.stderr is not screen
        assert "a warning" in view.progress.head()
    assert sys.stderr is screen
    assert screen.getvalue().endswith("\x1b[?1049la warning\n")


def test_epochs_never_wait_for_the_terminal() -> None:
    console = Console(width=80, height=24, file=io.StringIO(), force_terminal=True)
    with LiveView(console, out=io.StringIO()) as view:
        view.start(CONFIG, Path("run"), 10**6)
        begun = time.thread_time()
        for epoch in range(2000):
            view.epoch(record(epoch))
        assert (time.thread_time() - begun) / 2000 < 1e-3


def test_json_lines() -> None:
    out, err = io.StringIO(), io.StringIO()
    with JsonView(out, err) as view:
        view.start(CONFIG, Path("results") / HOSTILE, 2)
        view.note("compiling")
        view.epoch({**record(1), "kl": math.nan, "policy_loss": math.inf})
        view.finish({"run": HOSTILE, "state": "finished", "epochs": 2})
    lines = out.getvalue().splitlines()
    first, last = map(json.loads, lines)
    assert first["kl"] is None
    assert first["policy_loss"] is None
    assert first["epoch"] == 1
    assert {"run", "state", "epochs", "best"} <= set(last)
    assert last["run"] == HOSTILE
    assert err.getvalue() == "compiling\n"


def test_plain_lines_are_rare_and_last_is_shown() -> None:
    out, err = io.StringIO(), io.StringIO()
    with PlainView(every=100.0, out=out, err=err) as view:
        view.start(CONFIG, Path(HOSTILE), 50)
        for epoch in range(1, 51):
            view.epoch(record(epoch))
        view.finish({"state": "finished", "epochs": 50})
    lines = out.getvalue().splitlines()
    assert len(lines) == 4  # title, first and last epoch, outcome
    assert "epoch 50/50" in lines[-2]
    assert "\x1b" not in err.getvalue() + out.getvalue()


def test_duration_and_finite() -> None:
    assert [duration(s) for s in (0, 59.6, 185, 8040, 90000, math.nan)] == [
        "0s", "1m00s", "3m05s", "2h14m", "1d01h", "-",
    ]  # fmt: skip
    assert finite({"a": [math.nan, 1], "b": Path("x")}) == {"a": [None, 1], "b": "x"}
