"""Groups where commands show them: one row with mean and interval, one curve with a band, figures over seeds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import main
from mmrl.commands.over_seeds import lines_of, over_seeds, runs_of
from mmrl.plots import pictures
from mmrl.plots.numbers import amount
from mmrl.runs import listing
from mmrl.runs.over_seeds import Together
from mmrl.settings.errors import ConfigError
from tests.commands.test_tables import WIDTHS, holds

GOOD = Path(__file__).resolve().parents[2] / "good-results"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def mmrl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Beside one run three of a group, seeds 0, 1 and 5; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "150")
    shutil.copytree(GOOD / "quickstart", tmp_path / "results" / "alone")
    for seed, epochs in ((0, 200), (1, 190), (5, 180)):
        folder = tmp_path / "results" / f"three-seed{seed}"
        shutil.copytree(GOOD / "quickstart", folder)
        lines = [line for line in (folder / "config.toml").read_text().splitlines() if not line.startswith("# ")]
        text = "\n".join([*lines, '"group" = "three"', ""]).replace("seed = 0\n", f"seed = {seed}\n", 1)
        (folder / "config.toml").write_text(text)
        rows = (folder / "metrics.jsonl").read_text().splitlines(True)[:epochs]
        (folder / "metrics.jsonl").write_text("".join(rows))

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return run


def test_a_group_is_one_row_with_the_mean_over_its_seeds(mmrl: Run) -> None:
    values = [listing.describe(Path("results") / f"three-seed{seed}").value_mean or 0.0 for seed in (0, 1, 5)]
    mean = sum(values) / 3
    half = 4.3027 * (sum((v - mean) ** 2 for v in values) / 2) ** 0.5 / 3**0.5
    head, alone, group = mmrl("runs", "list")[1].splitlines()
    assert head.split()[:4] == ["name", "state", "epoch", "value"] and alone.split()[0] == "alone"
    shown = f"three (3 runs) finished 180-200/200 {amount(mean, half)}"
    assert " ".join(group.split()).startswith(shown) and " 0-1,5 " in group
    unfolded = mmrl("runs", "list", "--unfold")[1].splitlines()
    assert [line[:14].rstrip() for line in unfolded[3:]] == ["  three-seed0", "  three-seed1", "  three-seed5"]
    listed = json.loads(mmrl("runs", "list", "--json")[1])
    assert [row["group"] for row in listed] == ["", "three", "three", "three"]
    code, _, err = mmrl("runs", "list", "--json", "--unfold")
    assert code == 2 and "--unfold" in err


def test_the_row_of_a_sweep_is_that_of_its_best_trial(mmrl: Run) -> None:
    (Path("results") / "three").mkdir()
    (Path("results") / "three" / "sweep.toml").write_text("")
    best = max(
        (listing.describe(Path("results") / f"three-seed{s}") for s in (0, 1, 5)), key=lambda i: i.value_mean or 0
    )
    group = mmrl("runs", "list")[1].splitlines()[2]
    assert (
        "three (3 trials, best three-seed" in group
        and f"best {amount(best.value_mean or 0.0, best.value_half)}" in group
    )
    found, grouped = runs_of("three", "results")
    assert [info.name for info in found] == [best.name] and not grouped


@pytest.mark.parametrize(("objective", "take"), [("value", "last"), ("-inventory_abs", "best"), ("grade", "best")])
def test_json_has_the_objective_of_each_trial(mmrl: Run, objective: str, take: str) -> None:
    (Path("results") / "three").mkdir()
    spec = f'objective = "{objective}"\ntake = "{take}"\n[search]\nlr = {{ low = 1e-4, high = 0.1 }}\n'
    (Path("results") / "three" / "sweep.toml").write_text(spec)
    key = {"value": "value_mean", "-inventory_abs": "inventory_abs_mean"}.get(objective, objective)
    expected: list[Any] = [(None, None)]  # of a run that is no trial
    for seed in (0, 1, 5):
        lines = (Path("results") / f"three-seed{seed}" / "metrics.jsonl").read_text().splitlines()
        values = [json.loads(line)[key] for line in lines]
        counts = values[-1] if take == "last" else min(values) if objective.startswith("-") else max(values)
        expected.append((objective, counts))
    rows = json.loads(mmrl("runs", "list", "--json")[1])
    assert [(row["objective"], row["objective_value"]) for row in rows] == expected
    row = json.loads(mmrl("runs", "show", "three-seed5", "--json")[1])
    assert (row["objective"], row["objective_value"]) == expected[-1]


def test_plot_draws_the_mean_with_its_band(mmrl: Run) -> None:
    code, out, _ = mmrl("plot", "three", "--metric", "value")
    assert code == 0 and out.startswith("three (3 runs)\n")
    folders = tuple(Path("results") / f"three-seed{seed}" for seed in (0, 1, 5))
    [(name, records)] = pictures.records_of([Together("three", folders)], []).items()
    assert name == "three (3 runs)" and len(records) == 200 and records[0]["value_half"] == 0.0  # copies of one run
    code, out, _ = mmrl("plot", "three", "alone")
    assert code == 0 and "three (3 runs)" in out and "alone" in out
    assert mmrl("plot", "three", "--save", "a.svg")[0] == 0 and Path("a.svg").stat().st_size > 1000
    assert "three-seed5" in mmrl("plot", "three", "--what", "episode")[1]


def figures(value: float, **more: Any) -> dict[str, Any]:
    return {"value_mean": value, "optimality": value / 10, "exact_ce": None, "ce": "unreliable", **more}


def test_figures_over_seeds_by_hand() -> None:
    """1, 2, 3, 4, 9: mean 3.8, and without the lowest and the highest 3."""
    found = over_seeds("five", [figures(value) for value in (9.0, 1.0, 3.0, 2.0, 4.0)])
    assert found["runs"] == 5 and found["exact_ce"] is None and found["ce"] is None
    value, share = found["value_mean"], found["optimality"]
    assert value["mean"] == pytest.approx(3.8) and value["iqm"] == pytest.approx(3.0)
    half = 2.7764 * (38.8 / 4) ** 0.5 / 5**0.5
    assert value["mean_ci"] == pytest.approx([3.8 - half, 3.8 + half])
    assert value["iqm_ci"][0] < 3 < value["iqm_ci"][1] and share["iqm"] == pytest.approx(0.3)
    assert over_seeds("one", [figures(2.0)])["value_mean"] == {"mean": 2.0, "mean_ci": None, "iqm": 2.0, "iqm_ci": None}


def test_the_table_over_seeds() -> None:
    long = "avellaneda-stoikov_400-100-4950_gaus-ppo-clip-norm-adv_W-I-T"
    found = [over_seeds(long, [figures(v) for v in (9.0, 1.0, 3.0, 2.0, 4.0)]), over_seeds("one", [figures(2.0)])]
    for width in WIDTHS:
        lines = list(lines_of(found, width))
        holds(lines, width, found)
    assert lines[2].split() == [long, "5", "value", "3.8", "±", "3.9", "3.0", "1.3", "7.3"]


def test_what_is_left_out_of_an_evaluation(mmrl: Run, caplog: pytest.LogCaptureFixture) -> None:
    (Path("results") / "three-seed1" / "metrics.jsonl").unlink()
    found, grouped = runs_of("three", "results")
    assert [info.seed for info in found] == [0, 5] and grouped
    assert "of 3 runs 1 have not finished an epoch" in caplog.text
    for seed in (0, 5):
        (Path("results") / f"three-seed{seed}" / "metrics.jsonl").unlink()
    with pytest.raises(ConfigError, match="no run of the group three has finished an epoch"):
        runs_of("three", "results")
