"""The table of several trainings: it fits, counts what it leaves out, and says on JSON whose record a line is."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from mmrl.display.board import JSON, LINES, LIVE, Board
from mmrl.settings.model import Config
from mmrl.settings.sources import replaced

CONFIG = replaced(Config(), {"training.ne": 40})


def record(epoch: int, **more: Any) -> dict[str, Any]:
    return {"epoch": epoch, "value_mean": 100.0 + epoch, "value_half": 1.5, "steps_per_second": 2e6, **more}


def board(kind: str, runs: int = 3) -> tuple[Board, io.StringIO, io.StringIO]:
    out, err = io.StringIO(), io.StringIO()
    shown = Board("five  book", kind, out, err)
    for seed in range(runs):
        shown.add(
            f"seed {seed}", CONFIG, Path(f"five-seed{seed}"), "waiting", {}, {"run": f"five-seed{seed}", "seed": seed}
        )
    return shown, out, err


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 12), (120, 36), (40, 8)])
@pytest.mark.parametrize("runs", [1, 5, 200])
def test_it_fits(width: int, height: int, runs: int) -> None:
    shown, _, _ = board(LIVE, runs)
    last = f"seed {runs - 1}"
    shown.record(last, record(12, optimality=0.75))
    shown.note("a note that is far too long for any terminal of this size, and goes on and on and on until it is cut")
    lines = list(shown.lines(width, height))
    assert len(lines) <= height and max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert last in text and "12/40" in text and "112.0 ± 1.5" in text  # what trains is seen
    told = [line for line in lines if line.startswith("and ")]
    seen = sum(line.startswith("seed") for line in lines)
    assert told == ([f"and {runs - seen} more"] if seen < runs else [])


def test_figures_of_a_run() -> None:
    shown, _, _ = board(LIVE)
    shown.record("seed 1", record(12, optimality=0.75))
    rows = [line.split() for line in shown.lines(100, 30)]
    assert rows[1] == ["run", "state", "epoch", "value", "optimality", "steps/s"]
    assert rows[3] == ["seed", "1", "training", "12/40", "112.0", "±", "1.5", "75.00", "%", "2M"]
    shown.record("seed 1", {"state": "finished", "run": "five-seed1"})
    assert "finished" in list(shown.lines(100, 30))[3] and "2M" not in "".join(shown.lines(100, 30))


def test_a_run_that_ends_before_its_first_epoch_has_no_figures() -> None:
    shown, out, _ = board(LINES)
    shown.record("seed 0", {"state": "interrupted", "run": "five-seed0"})
    assert out.getvalue().splitlines()[-1] == "seed 0: stopped after epoch 0"
    shown.record("seed 1", record(3))
    shown.record("seed 1", {"state": "finished", "run": "five-seed1"})
    assert out.getvalue().splitlines()[-1] == "seed 1: finished after epoch 3  value 103.0 ± 1.5"


def test_the_table_is_drawn_over_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mmrl.display.board.EVERY_DRAWN", 0.0)
    shown, out, _ = board(LIVE)
    shown.record("seed 0", record(1))
    first = out.getvalue()
    assert first.startswith("\x1b[J") and first.count("\n") == 5
    shown.record("seed 0", record(2))
    assert out.getvalue().removeprefix(first).startswith("\x1b[5F\x1b[J")


def test_lines_where_nothing_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    shown, out, err = board(LINES)
    shown.record("seed 0", record(1))
    shown.record("seed 0", record(2))  # too soon for another line
    shown.record("seed 2", record(7))
    shown.note("seed 2: \x1b[2Jsomething")
    shown.record("seed 0", {"state": "interrupted"})
    lines = out.getvalue().splitlines()
    assert lines[0] == "five  book" and lines[1].startswith("seed 0: epoch 1/40") and len(lines) == 4
    assert lines[2].startswith("seed 2: epoch 7/40")
    assert lines[3] == "seed 0: stopped after epoch 2  value 102.0 ± 1.5"
    assert "seed 2:" in err.getvalue() and "\x1b" not in err.getvalue() + out.getvalue()


def test_json_says_whose_record_it_is() -> None:
    shown, out, err = board(JSON)
    shown.record("seed 2", record(7, kl=float("nan")))
    shown.record("seed 2", {"state": "finished", "run": "five-seed2", "epochs": 40})
    shown.note("a note")
    first, second = map(json.loads, out.getvalue().splitlines())
    assert first == {"run": "five-seed2", "seed": 2, **record(7, kl=None)}
    assert second == {"run": "five-seed2", "seed": 2, "state": "finished", "epochs": 40}
    assert err.getvalue() == "a note\n"
