"""`mmrl export`: the files hold the numbers of metrics.jsonl, and nothing that is there is overwritten unasked."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

from cli import main
from mmrl.runs.history import read_metrics

GOOD = Path(__file__).resolve().parents[2] / "good-results"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def mmrl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(tmp_path)
    for seed in (0, 1):
        folder = shutil.copytree(GOOD / "quickstart", tmp_path / "results" / f"two-seed{seed}")
        config = (folder / "config.toml").read_text()
        lines = [line for line in config.splitlines() if not line.startswith("# ")]
        (folder / "config.toml").write_text("\n".join(lines) + '\n"group" = "two"\n')

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        assert isinstance(ended.value.code, int)
        return ended.value.code, *capsys.readouterr()

    return run


RECORDS = read_metrics(GOOD / "quickstart" / "metrics.jsonl")


def test_csv_has_every_number(mmrl: Run) -> None:
    assert mmrl("export", "two-seed1", "--csv", "a.csv")[1] == f"wrote a.csv: {len(RECORDS)} epochs of 1 run\n"
    with open("a.csv") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:3] == ["run", "epoch", "reward_mean"] and len(rows) == len(RECORDS)
    for row, record in zip(rows, RECORDS, strict=True):
        assert row["run"] == "two-seed1"
        for key, value in record.items():
            if value is None:
                assert row[key] == ""
            elif isinstance(value, int | float):
                assert float(row[key]) == value
            else:
                assert row[key] == (value if isinstance(value, str) else json.dumps(value))


def test_of_a_group_all_runs_are_written(mmrl: Run) -> None:
    code, out, _ = mmrl("export", "two", "--csv", "a.csv", "--json")
    found = json.loads(out)
    assert code == 0 and found["runs"] == ["two-seed0", "two-seed1"] and found["epochs"] == 2 * len(RECORDS)
    with open("a.csv") as file:
        assert [row["run"] for row in csv.DictReader(file)].count("two-seed0") == len(RECORDS)


@pytest.mark.skipif(find_spec("polars") is None, reason="the extra data is not installed")
def test_parquet_has_the_same_columns_typed(mmrl: Run) -> None:
    import polars

    assert mmrl("export", "two-seed0", "--parquet", "a.parquet")[0] == 0
    frame = polars.read_parquet("a.parquet")
    assert frame["epoch"].to_list() == [record["epoch"] for record in RECORDS]
    assert frame["value_mean"].to_list() == [record["value_mean"] for record in RECORDS]
    assert frame["epoch"].dtype == polars.Int64 and frame["value_mean"].dtype == polars.Float64


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="the extra tensorboard is not installed")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_tensorboard_has_every_number(mmrl: Run) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert mmrl("export", "two", "--tensorboard", "logs")[0] == 0
    found = EventAccumulator("logs/two-seed1", {"scalars": 0})
    found.Reload()
    scalars = found.Scalars("value_mean")
    assert [scalar.step for scalar in scalars] == [record["epoch"] for record in RECORDS]
    assert [scalar.value for scalar in scalars] == pytest.approx([record["value_mean"] for record in RECORDS], rel=1e-6)
    code, _, err = mmrl("export", "two", "--tensorboard", "logs")
    assert code == 2 and "two-seed0 has event files there" in err
    (Path("logs") / "mine.txt").write_text("kept")
    assert mmrl("export", "two", "--tensorboard", "logs", "--force")[0] == 0
    assert (Path("logs") / "mine.txt").exists() and len(list(Path("logs/two-seed0").iterdir())) == 1


def test_what_cannot_be_exported_is_refused_and_nothing_written(mmrl: Run) -> None:
    code, _, err = mmrl("export", "two")
    assert code == 2 and "nothing to export to: add --tensorboard or --csv or --parquet" in err
    Path("a.csv").write_text("mine")
    code, _, err = mmrl("export", "two", "--csv", "a.csv")
    assert code == 2 and "--csv a.csv exists" in err and Path("a.csv").read_text() == "mine"
    assert mmrl("export", "two", "--csv", "a.csv", "--force")[0] == 0 and Path("a.csv").read_text() != "mine"
    assert "no folder none" in mmrl("export", "two", "--csv", "none/a.csv")[2]
    assert "is a folder: name a file" in mmrl("export", "two", "--csv", "results")[2]
    assert "is no folder" in mmrl("export", "two", "--tensorboard", "a.csv")[2] or find_spec("tensorboard") is None
    assert mmrl("export", "three", "--csv", "b.csv")[0] == 3 and not Path("b.csv").exists()
    (Path("results") / "two-seed0" / "metrics.jsonl").unlink()
    code, _, err = mmrl("export", "two-seed0", "--csv", "b.csv")
    assert code == 2 and "has not finished an epoch" in err and not Path("b.csv").exists()
