"""benchmarks/accelerator.py on a CPU: what it writes, what it finds wrong, faults, and when its time is over."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import accelerator


@pytest.fixture
def one_preset(monkeypatch: pytest.MonkeyPatch) -> None:
    """A small game, by the compiled engine and by the tensor engine."""
    monkeypatch.setattr(accelerator, "PRESETS", {"avellaneda-stoikov": 20})
    monkeypatch.setattr(accelerator, "_engines", lambda *_: [("compiled", "cpu"), ("tensor", "cpu")])


def test_every_engine_is_measured_and_compared(one_preset: None, tmp_path: Path) -> None:
    assert accelerator.measure(tmp_path / "found.json", "cpu", 300.0, (60,)) == []
    found = json.loads((tmp_path / "found.json").read_text())
    assert [case["engine"] for case in found["cases"]] == ["compiled", "tensor"]
    for case in found["cases"]:
        assert case["rows"] == 60 * 20 and min(case["steps_per_second"]) > 0 and "values" not in case
    assert found["left_out"] == found["failed"] == found["wrong"] == [] and found["machine"]["device"] == "cpu"


def test_a_case_that_fails_is_told_and_the_others_go_on(
    one_preset: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measured = accelerator._measured

    def sometimes(config: Any) -> dict[str, Any]:
        if config.run.engine == "tensor":
            raise RuntimeError("out of memory")
        return measured(config)

    monkeypatch.setattr(accelerator, "_measured", sometimes)
    [line] = accelerator.measure(tmp_path / "found.json", "cpu", 300.0, (20,))
    assert "out of memory" in line
    found = json.loads((tmp_path / "found.json").read_text())
    assert len(found["cases"]) == 1 and found["failed"][0]["engine"] == "tensor"


def test_it_ends_in_time(one_preset: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(np.arange(0.0, 1e6, 30.0))
    monkeypatch.setattr(time, "perf_counter", lambda: float(next(now)))
    monkeypatch.setattr(accelerator, "_measured", lambda _: {"value": 1.0, "value_error": 1.0, "values": []})
    accelerator.measure(tmp_path / "found.json", "cpu", 200.0, (10, 20, 30))
    found = json.loads((tmp_path / "found.json").read_text())
    # every look at the clock is 30 s later: at 150 s two cases are done, and another one might end after 200 s
    assert len(found["cases"]) == 2
    assert [case["reason"] for case in found["left_out"]] == ["no time left"] * 4


def test_a_batch_that_is_too_large_is_told_from_one_for_which_no_time_was_left(
    one_preset: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "_measured", lambda _: {"value": 1.0, "value_error": 1.0, "values": []})
    accelerator.measure(tmp_path / "found.json", "cpu", 300.0, (10, 200_000, 200_001))  # of 20 steps
    found = json.loads((tmp_path / "found.json").read_text())
    assert [case["trajectories"] for case in found["cases"]] == [10, 10, 200_000, 200_000]
    left_out = [(case["trajectories"], case["engine"], case["reason"]) for case in found["left_out"]]
    assert left_out == [(200_001, engine, "too large: more than 4,000,000 rows") for engine in ("compiled", "tensor")]


@pytest.mark.parametrize(("name", "reason"), [("none/found.json", "No such file"), ("", "Is a directory")])
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_measured(
    name: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    measured: list[Any] = []
    monkeypatch.setattr(accelerator, "_measured", measured.append)
    monkeypatch.setattr("sys.argv", ["accelerator.py", "-o", str(tmp_path / name)])
    with pytest.raises(SystemExit) as ended:
        accelerator.main()
    err = capsys.readouterr().err
    assert (ended.value.code, measured, err.count("\n")) == (2, [], 1)
    assert err.startswith(f"accelerator.py: -o {tmp_path / name} cannot be written: {reason}")


@pytest.mark.parametrize(("value", "wrong"), [(1.05, 0), (3.0, 1)])
def test_another_law_is_found(value: float, wrong: int) -> None:
    same = {"preset": "p", "trajectories": 9, "value_error": 0.1, "values": []}
    cases = [same | {"engine": "compiled", "value": 1.0}, same | {"engine": "tensor", "value": value}]
    assert len(accelerator._compare(cases)) == wrong


def test_trajectories_of_another_stream_are_found() -> None:
    same = {"preset": "p", "trajectories": 9, "value_error": 9.0, "value": 1.0}
    cases = [same | {"engine": "compiled", "values": [1.0, 2.0]}, same | {"engine": "cuda", "values": [2.0, 1.0]}]
    assert len(accelerator._compare(cases)) == 1
