"""The list of runs behind the screen: quick summaries, checks, and which changes are seen."""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from mmrl.runs import listing
from mmrl.runs.lock import RunLock
from tests.tui.conftest import make_run, record
from tui.run_index import RunIndex
from tui.summary import quick_summary
from tui.trend import trend


def states(index: RunIndex) -> dict[str, str]:
    return {entry.info.name: entry.info.state for entry in index.entries.values()}


def fill(index: RunIndex) -> None:
    for _ in range(200):
        index.poll()
        if not index.busy:
            return
    raise AssertionError("it is never done")


def test_a_quick_summary_agrees_with_the_full_description(results: Path) -> None:
    make_run(results, "graded")
    with (results / "graded" / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(record(41, optimality=0.97)) + "\n")
    for name in ("alpha", "beta", "gamma", "graded"):
        found = quick_summary(results / name)
        assert found is not None
        assert replace(found, id=f"id-{name}") == listing.describe(results / name)
    (results / "alpha" / "status.json").unlink()
    assert quick_summary(results / "alpha") is None  # needs the full description


def test_broken_settings_are_found_when_the_list_stands(results: Path) -> None:
    text = (results / "beta" / "config.toml").read_text()
    (results / "beta" / "config.toml").write_text(text.replace("[training]", "[training]\nnonsense = 3"))
    index = RunIndex(results)
    index.poll(budget=0)
    assert index.loading and index.busy and not index.entries
    for _ in range(5):
        index.poll(budget=0)  # never more than its time allows, and yet some day done
    fill(index)
    assert {entry.info.id for entry in index.entries.values()} == {"id-alpha", "", "id-gamma"}
    assert index.entries[str(results / "beta")].info.market == ""


def test_only_changed_runs_are_told(results: Path) -> None:
    index = RunIndex(results)
    fill(index)
    assert all(index.poll() == (set(), set()) for _ in range(8))
    with (results / "alpha" / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(record(41, value_mean=777.0)) + "\n")
    told = [index.poll()[0] for _ in range(4)]
    assert [changed for changed in told if changed] == [{str(results / "alpha")}]
    entry = index.entries[str(results / "alpha")]
    assert entry.info.value_mean == 777 and entry.info.epoch == 41 and entry.trend[-1] == 777
    assert entry.info.id == "id-alpha" and entry.info.target == 40
    shutil.rmtree(results / "beta")
    make_run(results, "delta")
    changed, gone = index.poll()
    assert gone == {str(results / "beta")} and str(results / "delta") in changed | index.poll()[0]


def test_a_death_is_noticed_at_the_next_look(results: Path) -> None:
    folder = make_run(results, "live", epochs=12, state="running")
    index = RunIndex(results)
    with RunLock(folder):
        fill(index)
        assert states(index)["live"] == "running"
    changed, _ = index.poll()
    assert changed == {str(folder)} and states(index)["live"] == "crashed"


def test_names_are_not_kept_before_the_clock_has_moved_on(results: Path) -> None:
    index = RunIndex(results)
    fill(index)
    stamp = results.stat()
    make_run(results, "late")
    os.utime(results, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # within the same tick of the clock
    index.poll()
    assert "late" in states(index)
    past = time.time_ns() - 10**10
    os.utime(results, ns=(past, past))
    index.poll()
    assert results in index._listed
    make_run(results, "later")
    index.poll()
    assert "later" in states(index)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_folder_is_said(results: Path) -> None:
    results.chmod(0)
    index = RunIndex(results)
    index.poll()
    results.chmod(0o755)
    assert "Permission denied" in index.fault


def test_a_trend_takes_all_of_a_small_file_and_some_of_a_large_one(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(record(e, value_mean=float(e))) + "\n" for e in range(1, 51)) + '{"epoch": 51, ')
    assert trend(path) == [float(e) for e in range(1, 51)]
    path.write_text('{"value_mean": null}\n{"value_mean":-2.5e3}\n{"value_mean": "x"}\n{"value_mean": 1e--5}\n')
    assert [str(value) for value in trend(path)] == [str(v) for v in (math.nan, -2500.0, math.nan)]
    path.write_text("".join(json.dumps(record(e, value_mean=float(e))) + "\n" for e in range(1, 5_001)))
    some = trend(path)
    assert 90 <= len(some) <= 96 and some == sorted(some) and some[0] == 1 and some[-1] == 5_000
    for size in range(3_000, 3_020):  # a number is never taken for whole when the end of a piece cuts it
        path.write_text(('{"value_mean": 1234567, "pad": "' + "x" * size + '"}\n') * 300 + '{"value_mean": 123')
        assert set(trend(path)) == {1234567.0}
    path.write_bytes(b"\xff" * 2**20)
    assert trend(path) == []
