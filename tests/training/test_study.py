"""The study of a sweep: who gets which trial, what is pruned, what counts. No training runs: records are written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from mmrl.commands.sweep import sweep
from mmrl.runs import config_file, group_plan, groups
from mmrl.runs.lock import RunLock
from mmrl.settings.errors import ConfigError
from mmrl.settings.goal import taken
from mmrl.settings.sweep_file import Sweep, read_sweep
from mmrl.training import study as studies
from mmrl.training.study import Study, Trial, check_objective

optuna = pytest.importorskip("optuna", reason="the extra sweep is not installed")

SPEC = """
objective = "grade"
trials = 4
[settings]
ne = 20
[search]
lr = { low = 1e-4, high = 0.1, log = true }
minibatches = { low = 1, high = 8 }
policy = ["gaussian", "categorical"]
"""
Open = Callable[[], Study]


@pytest.fixture
def spec(tmp_path: Path) -> Sweep:
    (tmp_path / "look.toml").write_text(SPEC)
    return read_sweep(str(tmp_path / "look.toml"), str(tmp_path / "results"))


@pytest.fixture
def worker(spec: Sweep) -> Iterator[Open]:
    """Opens workers on one study, each as a process of its own would."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(Study(spec, threads=1))


def claimed(study: Study, target: int = 4) -> Trial:
    trial = study.claim(target)
    assert trial is not None
    return trial


def write(trial: Trial, grades: list[Any]) -> None:
    rows = [json.dumps({"epoch": at + 1, "grade": grade}) + "\n" for at, grade in enumerate(grades)]
    (trial.folder / "metrics.jsonl").write_text("".join(rows))


def test_each_trial_is_one_workers_and_there_are_no_more_than_wanted(worker: Open, spec: Sweep) -> None:
    first, second = worker(), worker()
    trials = [claimed(first), claimed(second), claimed(first), claimed(second)]
    assert [trial.number for trial in trials] == [0, 1, 2, 3]
    assert first.claim(4) is None is second.claim(4)
    assert first.others() == second.others() == 2
    config = config_file.read_config(trials[2].folder).config
    assert trials[2].values["training.lr"] == config.training.lr and 1e-4 <= config.training.lr <= 0.1
    assert trials[2].values["training.minibatches"] == config.training.minibatches
    assert (trials[2].folder.name, config.run.threads, config.training.ne) == ("look-2", 1, 20)
    infos = groups.members("look", spec.base.run.results)
    assert len(infos) == 4 and groups.is_sweep(infos)


def test_the_trial_of_a_dead_worker_goes_to_the_next(worker: Open, spec: Sweep) -> None:
    first, second = worker(), worker()
    lost = claimed(first)
    write(lost, [1.0])
    first.workers.own.release()  # as the kernel does when the process is killed
    with RunLock(lost.folder):  # its training has not noticed yet
        assert claimed(second).number == 1
    again = claimed(second)
    assert (again.number, again.folder, again.values) == (0, lost.folder, lost.values)
    assert (lost.folder / "metrics.jsonl").is_file()
    assert claimed(second).number == 2  # it is taken now
    assert second.others() == 0


def test_a_worker_killed_before_its_run_was_there_loses_nothing(worker: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    first = worker()
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(studies, "begin_member", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        first.claim(4)
    first.workers.own.release()
    trial = claimed(worker())
    assert trial.number == 0 and len(trial.values) == 3 and (trial.folder / "config.toml").is_file()


def test_a_worker_killed_while_values_were_drawn_leaves_a_trial_with_all_of_them(
    worker: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, suggest, drawn = worker(), studies._suggest, list[Any]()

    def killed(trial: Any, dimension: Any) -> None:
        if drawn:
            raise KeyboardInterrupt
        suggest(trial, dimension)
        drawn.append(trial.params[dimension.key])

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(studies, "_suggest", killed)
        first.claim(4)
    first.workers.own.release()
    trial = claimed(worker())
    config = config_file.read_config(trial.folder).config
    assert trial.number == 0 and [trial.values["training.lr"]] == drawn == [config.training.lr]
    assert set(trial.values) == {"training.lr", "training.minibatches", "policy.kind"}


def test_contradicting_values_of_a_killed_worker_do_not_end_the_next(
    worker: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = worker(), worker()
    claimed(first)
    (first.root / "look-0" / "config.toml").unlink()
    first.workers.own.release()
    real = group_plan.begin_member

    def refused(config: Any, *rest: Any) -> Path:
        if config.run.name == "look-0":
            raise ConfigError("a contradicts b")
        return real(config, *rest)

    monkeypatch.setattr(studies, "begin_member", refused)
    assert claimed(second).number == 1
    assert [(o.number, o.state) for o in second.outcomes()] == [(0, "failed"), (1, "stopped")]


KILLED = """
import sys
from mmrl.settings.sweep_file import read_sweep
from mmrl.training.study import Study
with Study(read_sweep(*sys.argv[1:]), threads=1) as study:
    print(study.claim(4).number, study.workers.name, flush=True)
    sys.stdin.read()
"""


def test_what_a_killed_worker_leaves_is_cleared_away_by_the_next_and_its_trial_taken(
    worker: Open, spec: Sweep, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path / "look.toml"), spec.base.run.results]
    place = Path(spec.base.run.results) / "look" / "workers"
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        number, name = process.stdout.readline().split()
        living = worker()  # begins beside it
        assert {folder.name for folder in place.iterdir()} == {name, living.workers.name}
        assert living.others() == 1 and claimed(living).number == 1
        values = {o.number: o.values for o in living.outcomes()}
        os.kill(process.pid, signal.SIGKILL)
    assert (place / name).is_dir()
    second = worker()
    assert {folder.name for folder in place.iterdir()} == {living.workers.name, second.workers.name}
    again = claimed(second)
    assert (number, again.number, again.values) == ("0", 0, values[0])
    assert claimed(second).number == 2  # that of the worker that lives is its own


def test_workers_that_begin_at_once_have_one_sweep(spec: Sweep) -> None:
    """A SLURM array starts them in the same second."""
    count, found = 8, list[Any]()
    start = threading.Barrier(count)

    def begin() -> None:
        start.wait()
        try:
            found.append(studies.begin_folder(spec).name)
        except Exception as error:
            found.append(error)

    threads = [threading.Thread(target=begin) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["look"] * count
    assert [path.name for path in Path(spec.base.run.results).iterdir()] == ["look"]


def test_the_outcome_of_a_sweep(worker: Open) -> None:
    study = worker()
    trials = [claimed(study) for _ in range(4)]
    records: list[list[Any]] = [[1, 5, 2], [7, None, 6], [], []]
    for trial, grades in zip(trials, records, strict=True):
        write(trial, grades)
    assert [study.end(trial, "complete") for trial in trials[:3]] == [5.0, 7.0, None]
    study.end(trials[3], "pruned")
    found = study.outcomes()
    assert [(o.number, o.state, o.value) for o in found] == [
        (1, "complete", 7.0), (0, "complete", 5.0), (2, "failed", None), (3, "pruned", None)
    ]  # fmt: skip
    assert found[0].run == "look-1" and found[0].values == trials[1].values
    assert study.claim(4) is None and study.importance() == {}
    assert worker().claim(5) is not None  # the same command with more trials goes on


def test_what_lies_below_the_median_of_the_others_is_pruned(worker: Open) -> None:
    """Five trials with grades 1 to 5 at every epoch: 2.9 is below their median of 3 and 3.1 above it."""
    study = worker()
    for grade in range(1, 6):
        trial = claimed(study, 9)
        assert not any(study.report(trial, {"epoch": epoch, "grade": grade}) for epoch in range(1, 6))
        write(trial, [grade])
        study.end(trial, "complete")
    low, high = claimed(study, 9), claimed(study, 9)
    assert not study.report(low, {"epoch": 1, "grade": 2.9})  # a tenth of the epochs are waited for
    assert study.report(low, {"epoch": 3, "grade": 2.9})
    assert not study.report(high, {"epoch": 3, "grade": 3.1})
    assert not study.report(high, {"epoch": 4, "grade": None})
    assert not study.report(high, {"epoch": 3, "grade": -9.0})  # told already, by the worker before


def test_importance_finds_the_setting_that_matters(worker: Open) -> None:
    study = worker()
    study.study.sampler = optuna.samplers.RandomSampler(seed=3)
    for _ in range(24):
        trial = claimed(study, 24)
        write(trial, [float(trial.values["training.minibatches"])])
        study.end(trial, "complete")
    importance = study.importance()
    assert max(importance, key=lambda key: importance[key]) == "training.minibatches"
    assert importance["training.minibatches"] > 0.5


def test_another_spec_of_the_same_name_is_refused(worker: Open, spec: Sweep, tmp_path: Path) -> None:
    worker()
    for old, new in (("high = 8", "high = 9"), ("ne = 20", "ne = 21")):
        (tmp_path / "look.toml").write_text(SPEC.replace(old, new))
        with pytest.raises(ConfigError, match="is another spec, with which look began"):
            studies.begin_folder(read_sweep(str(tmp_path / "look.toml"), spec.base.run.results))
    (tmp_path / "look.toml").write_text("# a remark\n" + SPEC.replace("trials = 4", "trials = 9"))
    studies.begin_folder(read_sweep(str(tmp_path / "look.toml"), spec.base.run.results))
    (tmp_path / "results" / "other").mkdir()
    (tmp_path / "other.toml").write_text(SPEC)
    with pytest.raises(ConfigError, match="other is taken"):
        studies.begin_folder(read_sweep(str(tmp_path / "other.toml"), spec.base.run.results))


def test_values_that_contradict_each_other_are_a_failed_trial(worker: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    study, real, calls = worker(), group_plan.begin_member, list[Any]()

    def sometimes(*asked: Any) -> Path:
        calls.append(asked)
        if len(calls) == 1:
            raise ConfigError("a contradicts b")
        return real(*asked)

    monkeypatch.setattr(studies, "begin_member", sometimes)
    assert claimed(study).number == 1
    assert [(o.number, o.state) for o in study.outcomes()] == [(0, "failed"), (1, "stopped")]


@pytest.mark.parametrize(
    ("objective", "words"),
    [
        ("optimalty", "did you mean 'optimality'?"),
        ("optimality", "market book has no exact optimum: use grade"),
        ("wall_time", "there are"),
    ],
)
def test_an_objective_that_nobody_records_is_refused(objective: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "look.toml").write_text(SPEC.replace("grade", objective))
    with pytest.raises(ConfigError) as error:
        check_objective(read_sweep(str(tmp_path / "look.toml"), str(tmp_path / "results")))
    text = str(error.value)
    assert f"objective = '{objective}': " in text and words in text and not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("take", "minimise", "value"), [("best", False, 9.0), ("best", True, -1.0), ("last", False, 4.0)]
)
def test_what_counts_of_a_trial(take: str, minimise: bool, value: float) -> None:
    assert taken([3.0, 9.0, -1.0, 4.0], take, minimise) == value
    assert taken([], take, minimise) is None


def test_the_tail_is_the_mean_of_the_last_tenth() -> None:
    assert taken([100.0] * 28 + [2.0, 4.0], "tail") == pytest.approx(106 / 3)  # of 30 epochs three
    assert taken([100.0, 2.0], "tail") == 2.0


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(path.read_bytes() + b'{"op_code": 4, "wor\n'),
        lambda path: path.write_bytes(path.read_bytes()[:-20]),
        lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
        lambda path: path.write_bytes(bytes(3000)),
        lambda path: path.write_bytes(b"\xff\xfe\n"),
    ],
)
def test_a_damaged_journal_is_told_and_left_as_it_is(harm: Callable[[Path], object], worker: Open, spec: Sweep) -> None:
    study = worker()
    claimed(study)
    study.workers.leave()
    journal = study.folder / studies.JOURNAL
    harm(journal)
    before = journal.read_bytes()
    for _ in range(2):
        with pytest.raises(ConfigError, match="a line is not whole"):
            Study(spec, threads=1)
        assert journal.read_bytes() == before


def test_a_line_that_another_worker_is_writing_is_no_damage(worker: Open, spec: Sweep) -> None:
    first, second = worker(), worker()
    with (first.folder / studies.JOURNAL).open("a") as file:
        file.write('{"op_code": 4, "wor')
    second._check_journal()
    first.workers.leave()
    with pytest.raises(ConfigError, match="a line is not whole"):
        second._check_journal()


def test_what_is_no_journal_is_neither_waited_for_nor_read(worker: Open, spec: Sweep) -> None:
    study = worker()
    study.workers.leave()
    journal = study.folder / studies.JOURNAL
    journal.unlink()
    os.mkfifo(journal)
    with pytest.raises(ConfigError, match=r"journal\.log is not a regular file: remove it"):
        Study(spec, threads=1)
    (study.folder / "sweep.toml").write_bytes(bytes(100))
    with pytest.raises(ConfigError, match=r"sweep\.toml is not valid TOML"):
        Study(spec, threads=1)


def test_a_sweep_whose_trials_all_fail_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (
        'objective = "value"\ntrials = 2\n[settings]\nnb = 1000000\n[search]\nnt = { low = 100000, high = 10000000 }\n'
    )
    (tmp_path / "vast.toml").write_text(text)
    with pytest.raises(ConfigError, match=r"all 2 trials failed: .*of memory is needed"):
        sweep(str(tmp_path / "vast.toml"), None, 1, str(tmp_path / "results"), False)
    assert "2 failed" in capsys.readouterr().out
