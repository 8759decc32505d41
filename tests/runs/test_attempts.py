"""Figures that only inform end no training, whichever of them cannot be computed."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from mmrl.display.plain import PlainView
from mmrl.kernels.account import Overfull
from mmrl.settings.sources import resolve
from mmrl.statistics.attempts import Attempts, share_of_optimum
from mmrl.training.start import train
from tests.faults.harness import records

SETTINGS = {"market.nt": 20, "training.nb": 10, "policy.layer_size": 4, "run.threads": 1, "run.plot_after": 1}


class Noting(PlainView):
    """A view that keeps its notes."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[str] = []

    def note(self, text: str, lasting: bool = False) -> None:
        self.notes.append(text)


def trained(
    place: Path, load: str | None = None, view: Noting | None = None, code: int = 0, **more: Any
) -> tuple[Noting, Path]:
    view, epochs = view or Noting(), more.pop("ne", 2)
    values = {**SETTINGS, **more, "training.ne": epochs, "run.results": str(place), "run.name": "run"}
    config, origins = resolve(values)
    assert train(config, origins, load=load, expand=0, view=view) == code
    return view, place / "run"


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def fails(*_: Any, **__: Any) -> Any:
    raise ZeroDivisionError("float division by zero")


PLACES = {
    "mmrl.evaluate.grade.scores_of": ("grade", {"grade"}),
    "mmrl.training.episode.episode_arrays": ("episode", set()),
    "mmrl.rollout.recording.record_book": ("episode", set()),
    "mmrl.evaluate.quotes.quotes_of": ("episode", set()),
    "mmrl.runs.recorder.write_episode": ("episode file", set()),
    "mmrl.learn.trainer.batch_record": ("figures of the batch", {"value_mean", "reward_q10", "spread_half"}),
    "mmrl.learn.record.half_width": ("figures of the batch", {"value_mean"}),
    "mmrl.rollout.devices.cpu": ("model of the CPU", set()),
    "mmrl.display.plain.PlainView.epoch": ("display", set()),
}


@pytest.mark.parametrize("place", PLACES)
def test_each_is_missing_with_one_note_and_training_ends_as_it_should(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    what, absent = PLACES[place]
    monkeypatch.setattr(place, fails)
    view, run = trained(tmp_path)
    assert [note for note in view.notes if "missing:" in note] == [f"{what} missing: float division by zero"]
    assert [row["epoch"] for row in rows(run)] == [1, 2]
    assert all("policy_loss" in row and not absent & set(row) for row in rows(run))
    view, run = trained(tmp_path, load=str(run), ne=3)  # and again after a resume
    assert [row["epoch"] for row in rows(run)] == [1, 2, 3]
    assert json.loads((run / "status.json").read_text())["state"] == "finished"


RECORDED = [place for place, (what, _) in PLACES.items() if what not in ("display", "model of the CPU")]


@pytest.mark.parametrize("place", RECORDED)
@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")]
)
def test_what_a_run_records_is_not_left_out_for_want_of_memory(
    place: str, error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise error

    trained(tmp_path / "straight", ne=3)
    trained(tmp_path / "run", ne=1)
    run = tmp_path / "run" / "run"
    with monkeypatch.context() as short:
        short.setattr(place, refused)
        view, _ = trained(tmp_path / "run", load=str(run), code=1, ne=3)
    assert not [note for note in view.notes if "missing:" in note]
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "failed" and "the machine refused memory" in status["error"]
    trained(tmp_path / "run", load=str(run), ne=3)  # goes on as if there had been enough
    assert records(run) == records(tmp_path / "straight" / "run")


def test_what_is_only_shown_may_want_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any, **__: Any) -> Any:
        raise MemoryError("no room for a picture")

    monkeypatch.setattr("mmrl.display.plain.PlainView.epoch", refused)
    view, run = trained(tmp_path)
    assert "display missing: no room for a picture" in view.notes and len(rows(run)) == 2


def test_a_market_that_is_full_is_not_a_machine_without_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise Overfull("more orders rest than there is room for")

    with monkeypatch.context() as short:
        short.setattr("mmrl.evaluate.grade.scores_of", full)
        view, _ = trained(tmp_path / "graded")
    assert "grade missing: more orders rest than there is room for" in view.notes
    monkeypatch.setattr("mmrl.learn.trainer.update", full)
    _, run = trained(tmp_path / "trained", code=1)
    assert json.loads((run / "status.json").read_text())["error"] == "more orders rest than there is room for"


def test_errors_of_the_disk_are_not_swallowed() -> None:
    def full() -> None:
        raise OSError(28, "No space left on device")

    notes: list[str] = []
    with pytest.raises(OSError, match="No space"):
        Attempts(notes.append).get("episode", full, None)
    assert not notes


def test_without_a_grade_no_epoch_is_the_best_and_the_last_one_is_played(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mmrl.agents.learned import checkpoint_of
    from mmrl.evaluate.grade import Grade, Grader

    values = iter([1.0, math.nan, 3.0])
    monkeypatch.setattr(Grader, "grade", lambda *_: Grade(next(values)))
    view, run = trained(tmp_path, ne=3)
    assert [row.get("grade") for row in rows(run)] == [1.0, None, 3.0]
    assert [note for note in view.notes if "missing:" in note] == ["grade missing: its value is nan"]
    assert checkpoint_of(run)[0] == 3
    monkeypatch.setattr(Grader, "grade", fails)
    assert checkpoint_of(trained(tmp_path / "other")[1])[0] == 2


@pytest.mark.parametrize(
    ("value", "optimum", "share"),
    [
        (58.0, 64.0, 0.90625),
        (-640.0, 64.0, -10.0),
        (5e-9, 1e-8, 0.5),  # a market of small prices
        (1.0, 0.0, None),
        (1.0, -0.0, None),
        (893.65, -3.0, None),
        (-300.0, 1e-175, None),  # was printed as -3e177
        (1.0, math.inf, None),
        (math.nan, 2.0, None),
    ],
)
def test_a_share_of_the_optimum(value: float, optimum: float, share: float | None) -> None:
    assert share_of_optimum(value, optimum) == share


def test_a_market_whose_optimum_is_zero_is_trained_and_resumed(tmp_path: Path) -> None:
    more: dict[str, Any] = {"market.name": "avellaneda-stoikov", "market.sigma": 20_000.0}
    _, run = trained(tmp_path, ne=2, **more)
    _, run = trained(tmp_path, load=str(run), ne=3, **more)
    assert len(rows(run)) == 3 and not any("optimality" in row for row in rows(run))
    assert all(math.isfinite(row["grade"]) for row in rows(run))


def test_prices_below_zero_are_said_once_in_the_life_of_a_run(tmp_path: Path) -> None:
    game: dict[str, Any] = {"market.name": "avellaneda-stoikov", "market.midprice": 0.01, "market.sigma": 0.0}
    first, _ = trained(tmp_path, **game)
    said = [note for note in first.notes if "below zero" in note]
    assert len(said) == 1 and said[0].startswith("epoch 1: the best bid fell below zero, to -")
    later, _ = trained(tmp_path, load=str(tmp_path / "run"), ne=3, **game)
    assert not any("below zero" in note for note in later.notes)


def test_much_memory_is_said_before_the_first_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any("of memory is needed" in note for note in trained(tmp_path)[0].notes)
    monkeypatch.setattr("mmrl.training.start.MUCH", 1.0)
    [note] = [note for note in trained(tmp_path / "much")[0].notes if "of memory is needed" in note]
    assert note.startswith("about ") and ": to need less, " in note
