"""The benchmark sees what it is meant to see. Nothing here depends on how fast this machine is: clocks and workers are
made up, and the real worker is asked only for the form of its answer."""

from __future__ import annotations

import importlib
import inspect
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest

from mmrl.bench import clock, epoch, figures, turns
from mmrl.bench.against import built
from mmrl.bench.cases import CALIBRATION, CASES, RATIOS, Case
from mmrl.bench.rollout import compiled, environments
from mmrl.bench.worker import ready
from mmrl.commands import bench
from mmrl.runs.processes import environment, python
from mmrl.settings.errors import ConfigError

BOOK = next(case for case in CASES if case.name == "rollout/book/nb=100/threads=1")
HELP = next(case for case in CASES if case.name == "start/cli/help")
IMPORTS = next(case for case in CASES if case.name == "start/cli/imports")


class Fake:
    """A case on a machine whose speed changes from turn to turn: every figure is the machine's speed times its own."""

    def __init__(self, case: Case, slower: float = 1.0) -> None:
        self.case, self.slower, self.turn = case, slower, 0

    def measure(self) -> turns.Turn:
        self.turn += 1
        speed = (1.0, 0.25, 4.0)[self.turn % 3]
        return {
            name: 100.0 * speed / self.slower if unit.endswith("/s") else self.slower / speed
            for name, unit in self.case.figures.items()
        }

    def close(self) -> None: ...


def measured(cases: list[Case], **places: Callable[[Case], Any]) -> list[dict[str, Any]]:
    return figures.summary(turns.measure(cases, places, 6, lambda text: None))


def test_every_case_can_be_made() -> None:
    """Each names a function of the package, with the parameters that it takes; no two are called alike."""
    names = [case.name for case in (*CASES, *CALIBRATION)]
    assert len(set(names)) == len(names)
    for case in (*CASES, *CALIBRATION):
        module, function = case.make.split(":")
        made = getattr(importlib.import_module(f"mmrl.bench.{module}"), function)
        inspect.signature(made).bind(**case.given)
    known = {name for case in CASES for name in case.figures}
    assert all({ratio.over, ratio.under} <= known for ratio in RATIOS)


def test_a_commit_that_is_twice_as_slow_is_seen() -> None:
    """Rates and seconds alike, although the machine's speed varies by sixteen from turn to turn."""
    found = measured([BOOK, HELP, IMPORTS], here=lambda case: Fake(case, slower=2.0), there=Fake)
    compared = {figure["name"]: figure["ratio"] for figure in found if "ratio" in figure}
    assert compared[BOOK.name] == pytest.approx(0.5)
    assert compared[f"{HELP.name}/cpu"] == pytest.approx(0.5)
    same = measured([BOOK], here=Fake, there=Fake)
    assert [figure["ratio"] for figure in same if "ratio" in figure] == [1.0]


def test_figures_have_the_form_that_others_read() -> None:
    found = measured([BOOK, HELP, IMPORTS], here=Fake)
    for figure in found:
        assert {"name", "value", "unit", "low", "high"} <= set(figure)
        assert figure["low"] <= figure["value"] <= figure["high"]
    by_name = {figure["name"]: figure for figure in found}
    assert by_name[BOOK.name]["loops"] == pytest.approx(1.0)  # as fast as the loop, in every turn
    assert by_name[f"{HELP.name}/cpu"]["loops"] == pytest.approx(100.0)
    assert by_name["start/cli/help over imports"]["value"] == pytest.approx(1.0)
    assert json.loads(json.dumps(found)) == found


def test_a_case_that_fails_is_named_and_the_others_go_on() -> None:
    def start(case: Case) -> Fake:
        if case is BOOK:
            raise turns.CaseFailed("out of luck")
        return Fake(case)

    done = turns.measure([BOOK, HELP], {"here": start}, 2, lambda text: None)
    assert done.failed == {BOOK.name: "out of luck"}
    assert f"{HELP.name}/cpu" in {figure["name"] for figure in figures.summary(done)}


def test_memory_is_that_of_a_process_which_compiles_nothing() -> None:
    begun: list[str] = []

    def start(case: Case) -> Fake:
        begun.append(case.name)
        return Fake(case)

    small = next(case for case in CASES if case.name == "epoch/small")
    turns.measure([small, HELP], {"here": start}, 1, lambda text: None)
    assert begun.count(small.name) == 2 and begun.count(HELP.name) == 1


def test_memory_is_that_of_the_process_not_of_whoever_started_it() -> None:
    held = bytearray(400 * 2**20)
    held[:: 2**12] = b"x" * len(held[:: 2**12])  # every page is there
    code = "from mmrl.bench.clock import peak_mb; print(peak_mb())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment())
    assert 5 < float(done.stdout) < 300 < clock.peak_mb()


def test_work_is_timed_by_the_call() -> None:
    """A clock that moves two seconds a call: work of one second a call that is repeated for ten."""
    ticks, calls = iter(range(0, 1000, 2)), []
    assert clock.seconds_of(lambda: calls.append(1), least=10.0, clock=lambda: float(next(ticks))) == 2.0
    assert len(calls) == 5


def test_steps_are_those_that_were_lived(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three trajectories of 20 steps, 10 events each, in two calls of a second: not 60 steps a second."""
    monkeypatch.setattr("mmrl.bench.rollout.seconds_of", lambda work, threads: [work(), work()] and 1.0)
    settings = {"nb": 3, "nt": 20, "warm_up": 0.0, "decide_by": "events", "decision_events": 10}
    assert compiled("order-flow", settings, events=10)() == 600.0


def test_steps_of_environments_are_those_of_all_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seven copies, twenty steps of each in a second."""
    pytest.importorskip("gymnasium")
    monkeypatch.setattr("mmrl.bench.rollout.seconds_of", lambda work, threads: [work()] and 1.0)
    assert environments("avellaneda-stoikov", 7)() == 140.0


def test_parts_of_an_epoch_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every function of the table exists where it is looked up, and a watched generator gives what it gave."""
    watch = epoch.Stopwatch()
    for part, module, name in epoch.PARTS:
        holder: Any = importlib.import_module(module)
        *path, last = name.split(".")
        for step in path:
            holder = getattr(holder, step)
        assert callable(getattr(holder, last)), (part, module, name)
    monkeypatch.setattr(epoch, "range_", lambda n: iter(range(n)), raising=False)
    watch.watch("counting", "mmrl.bench.epoch", "range_")
    assert list(epoch.range_(3)) == [0, 1, 2]  # type: ignore[attr-defined]
    watch.watch("elsewhere", "mmrl.bench.epoch", "which_another_commit_lacks")
    assert set(watch.seconds) == {"counting"}


def test_figures_of_an_epoch_are_means_of_epochs_that_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[dict[str, float]] = []

    def four(work: Callable[[], Any], least: float, clock: Any) -> float:
        for _ in range(4):
            work()
        return 0.0

    monkeypatch.setattr(epoch, "seconds_of", four)
    monkeypatch.setattr(epoch.Stopwatch, "watch", lambda *_: None)  # it would stand before functions of other tests
    measure = epoch.split("quickstart", {"nb": 2, "nt": 5})
    before = time.perf_counter()
    for _ in range(2):
        counted.append(measure())
    spent = time.perf_counter() - before
    for each in counted:
        assert set(each) <= set(epoch.FIGURES) and each["memory"] > 10
        assert 0 < each["overhead"] < each["epoch"] and each["rest"] == pytest.approx(each["epoch"] - each["rollout"])
    assert 4 * sum(each["epoch"] for each in counted) <= spent  # means, not sums


def test_a_worker_answers_once_for_each_line() -> None:
    command = [*python("mmrl.bench.worker"), IMPORTS.name, "0.01"]
    done = subprocess.run(command, input="\n\n", capture_output=True, text=True, check=True, env=environment())
    first, *answers = map(json.loads, done.stdout.splitlines())
    assert first == {"ready": True} and len(answers) == 2
    assert set(answers[0]) == {f"{IMPORTS.name}/cpu", f"{IMPORTS.name}/wall"}
    assert set(ready(IMPORTS)()) == set(IMPORTS.figures)


@pytest.mark.slow
def test_every_part_of_an_epoch_is_measured() -> None:
    """A function that is no longer called where it is watched would leave the table without a word."""
    case = next(case for case in CASES if case.name == "epoch/small")
    command = [*python("mmrl.bench.worker"), case.name, "0.01"]
    done = subprocess.run(command, input="\n", capture_output=True, text=True, check=True, env=environment())
    figures_ = json.loads(done.stdout.splitlines()[-1])
    assert set(figures_) == set(case.figures)
    assert all(value > 0 for name, value in figures_.items() if name != f"{case.name}/rest")


def test_errors_are_one_line() -> None:
    with pytest.raises(ConfigError, match="is no commit of the git repository"), built("no-such-ref", 0.1, print):
        pass
    known = "rollout, environments, tensor, cuda, learner, epoch"
    with pytest.raises(ConfigError, match=f"--only 'xyz' is in no name of a case: try {known}"):
        bench.chosen(quick=False, only="xyz")
    with pytest.raises(turns.CaseFailed, match="StopIteration"):
        turns.Worker(Case("unknown", "rollout:compiled", "s"), 0.1)


def test_numbers_are_short() -> None:
    assert [figures.short(v) for v in (0.0, 1.0404, 12_345.0, 999_499.0, 999_999.0, 4.4e6, 2e-5, None)] == [
        "0", "1.04", "12.3k", "999k", "1M", "4.4M", "2e-05", "-",
    ]  # fmt: skip
