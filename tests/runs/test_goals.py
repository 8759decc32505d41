"""Trials by the objective of their sweep: what counts of each, their order, and files that change or cannot be read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from mmrl.runs import goals, groups, listing
from mmrl.settings.goal import Goal
from tests.tui.conftest import make_run


def trial(root: Path, number: int, rows: list[dict[str, Any]], state: str = "finished") -> Path:
    """A trial whose epochs recorded `rows`."""
    folder = make_run(root, f"look-{number}", epochs=len(rows), state=state, episodes=())
    config = folder / "config.toml"
    config.write_text(config.read_text() + '"group" = "look"\n')
    write(folder, rows)
    return folder


def write(folder: Path, rows: list[dict[str, Any]]) -> None:
    text = "".join(json.dumps({"epoch": at + 1, **row}) + "\n" for at, row in enumerate(rows))
    (folder / "metrics.jsonl").write_text(text)


def sweep(root: Path, text: str) -> None:
    (root / "look").mkdir(parents=True, exist_ok=True)
    (root / "look" / "sweep.toml").write_text(text + "\n[search]\nlr = { low = 1e-4, high = 0.1 }\n")


def order(root: Path) -> list[str]:
    return [info.name for info in groups.ranked(groups.members("look", root))]


ROWS = ([{"value_loss": 0.5, "value_mean": 1.0}], [{"value_loss": 0.1, "value_mean": 3.0}], [{"value_mean": 2.0}])


@pytest.mark.parametrize(
    ("objective", "names"),
    [
        ("value", ["look-1", "look-2", "look-0"]),
        ("-value", ["look-0", "look-2", "look-1"]),
        ("value_loss", ["look-0", "look-1", "look-2"]),  # the last one has none
        ("-value_loss", ["look-1", "look-0", "look-2"]),
    ],
)
def test_trials_are_ranked_by_the_objective_of_their_sweep(tmp_path: Path, objective: str, names: list[str]) -> None:
    sweep(tmp_path, f'objective = "{objective}"')
    for number, rows in enumerate(ROWS):
        trial(tmp_path, number, rows)
    assert order(tmp_path) == names


@pytest.mark.parametrize(("take", "first"), [("best", "look-0"), ("last", "look-1")])
def test_what_counts_of_a_trial_is_what_the_spec_says(tmp_path: Path, take: str, first: str) -> None:
    sweep(tmp_path, f'objective = "grade"\ntake = "{take}"')
    trial(tmp_path, 0, [{"grade": 9.0}, {"grade": 1.0}])
    trial(tmp_path, 1, [{"grade": 2.0}, {"grade": 3.0}])
    assert order(tmp_path)[0] == first


def test_a_trial_that_was_stopped_stands_behind_those_that_finished(tmp_path: Path) -> None:
    sweep(tmp_path, 'objective = "grade"')
    trial(tmp_path, 0, [{"grade": 1.0}])
    trial(tmp_path, 1, [{"grade": 9.0}], state="interrupted")
    trial(tmp_path, 2, [{"other": 9.0}])
    assert order(tmp_path) == ["look-0", "look-1", "look-2"]


def test_new_epochs_count_at_once(tmp_path: Path) -> None:
    sweep(tmp_path, 'objective = "grade"')
    folder = trial(tmp_path, 0, [{"grade": 1.0}])
    info = listing.describe(folder)
    goal = Goal("grade", False, "best")
    assert goals.reached(info, goal) == 1.0
    write(folder, [{"grade": 1.0}, {"grade": 4.0}])
    os.utime(folder / "metrics.jsonl", ns=(1, 2))
    assert goals.reached(info, goal) == 4.0
    (folder / "metrics.jsonl").unlink()
    assert goals.reached(info, goal) is None


def test_only_what_was_appended_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = trial(tmp_path, 0, [{"grade": float(k)} for k in range(1000)])
    info, goal = listing.describe(folder), Goal("grade", False, "tail")
    assert goals.reached(info, goal) == pytest.approx(949.5)  # of 900 to 999
    parsed: list[bytes] = []
    loads = json.loads
    monkeypatch.setattr(json, "loads", lambda line: parsed.append(line) or loads(line))
    path = folder / "metrics.jsonl"
    with path.open("a") as file:
        file.write('{"epoch": 1001, "grade": 5000.0}\n{"epoch": 1002, "gra')  # a line that is being written
    assert goals.reached(info, goal) == pytest.approx((sum(range(901, 1000)) + 5000) / 100)
    assert len(parsed) == 1
    with path.open("a") as file:
        file.write('de": 1e400}\n{"epoch": 1003, "grade": ' + "9" * 400 + "}\n")  # neither is a number that counts
    assert goals.reached(info, goal) == pytest.approx((sum(range(901, 1000)) + 5000) / 100) and len(parsed) == 3
    write(folder, [{"grade": -float(k)} for k in range(2000)])  # another history of the same beginning
    assert goals.reached(info, goal) == pytest.approx(-1899.5)


RANGES = ("lr = { low = 1, high = 0 }", "lr = { low = -1, high = 1, log = true }")
NO_SEARCH = ("", "lr = 5", "lr = []", "lr = {}", 'lr = "x"', *RANGES)


@pytest.mark.parametrize("search", NO_SEARCH)
def test_a_search_that_cannot_be_is_no_spec(tmp_path: Path, search: str) -> None:
    (tmp_path / "look").mkdir()
    (tmp_path / "look" / "sweep.toml").write_text(f'objective = "grade"\n[search]\n{search}\n')
    assert goals.spec_of_sweep(tmp_path / "look") is None


@pytest.mark.parametrize("text", ["objective = 3", "not toml", "", 'objective = "grade"\ntake = "first"'])
def test_with_a_spec_that_cannot_be_read_they_are_ranked_as_seeds_are(tmp_path: Path, text: str) -> None:
    for number, rows in enumerate(ROWS):
        trial(tmp_path, number, rows)
    (tmp_path / "look").mkdir()
    (tmp_path / "look" / "sweep.toml").write_text(text)
    assert goals.spec_of_sweep(tmp_path / "look") is None
    assert order(tmp_path) == ["look-1", "look-2", "look-0"]
