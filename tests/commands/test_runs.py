"""`mmrl runs`: beginnings of names, columns, the trash, the log, and a run that another process trains."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cli import main
from mmrl.commands import attach, runs_table, show
from mmrl.runs import config_file, control, goals, group_plan, listing
from mmrl.runs.lock import RunLock, is_locked
from mmrl.runs.status import STATES
from mmrl.settings.model import Config
from mmrl.settings.sources import replaced
from tui.widgets.cells import state_text

GOOD = Path(__file__).resolve().parents[2] / "good-results"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def mmrl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command beside a folder of two runs; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MMRL_CALLED_AS", "mmrl")
    monkeypatch.setenv("COLUMNS", "100")
    shutil.copytree(GOOD / "quickstart", tmp_path / "results" / "quick_1")
    shutil.copytree(GOOD / "quickstart", tmp_path / "results" / "quick_2")

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        code = ended.value.code
        assert isinstance(code, int)
        return code, *capsys.readouterr()

    return run


def test_a_run_is_found_by_the_beginning_of_its_name_if_no_other_begins_so(mmrl: Run, tmp_path: Path) -> None:
    (tmp_path / "results" / "quick_2").rename(tmp_path / "results" / "quick_11")
    shutil.copytree(GOOD / "quickstart", tmp_path / "results" / "other")
    code, out, _ = mmrl("runs", "show", "o", "--json")
    assert (code, json.loads(out)["name"]) == (0, "other")
    code, out, _ = mmrl("runs", "show", "quick_1", "--json")  # the whole name of one, and the beginning of another
    assert (code, json.loads(out)["name"]) == (0, "quick_1")
    assert mmrl("plot", "quick") == (
        3, "", "mmrl: 2 runs in results begin with quick: quick_1, quick_11: type more of the name\n"
    )  # fmt: skip
    assert mmrl("plot", "x") == (3, "", "mmrl: no run x in results: see mmrl runs list --results results\n")
    assert mmrl("runs", "rename", "oth", "new")[1] == "renamed other to new\n"


def test_any_setting_can_be_a_column(mmrl: Run) -> None:
    config = config_file.read_config(GOOD / "quickstart").config
    code, out, _ = mmrl("runs", "list", "--columns", "seed,training.nb,utility")
    assert code == 0 and [line.split() for line in out.splitlines()[:2]] == [
        ["name", "seed", "training.nb", "utility"],
        ["quick_1", str(config.run.seed), str(config.training.nb), config.reward.utility],
    ]
    assert "market" in mmrl("runs", "list", "--columns", "+nb")[1].splitlines()[0]
    code, _, err = mmrl("runs", "list", "--columns", "sede")
    assert code == 2 and "--columns sede" in err and "did you mean 'seed'" in err


def test_the_trash_gives_back_what_it_was_given(mmrl: Run, tmp_path: Path) -> None:
    assert "back: mmrl runs restore quick_2\n" in mmrl("runs", "trash", "quick_2")[1]
    assert mmrl("runs", "restore") == (0, "quick_2\n", "")
    shutil.copytree(GOOD / "quickstart", tmp_path / "results" / "quick_2")
    code, _, err = mmrl("runs", "restore", "quick_2")
    assert code == 2 and "'quick_2' is taken" in err
    mmrl("runs", "trash", "quick_2")
    (tmp_path / "results" / ".trash" / "quick_2.7").mkdir()  # no run
    code, out, _ = mmrl("runs", "restore", "qu")
    assert code == 0 and out.startswith("restored quick_2 to ")
    assert mmrl("runs", "list", "--json")[1].count('"name": "quick_2"') == 1
    assert mmrl("runs", "restore")[1] == "quick_2\n"  # the one that was trashed first
    code, _, err = mmrl("runs", "restore", "zzz")
    assert code == 3 and "no run zzz" in err and "quick_2" in err


def test_the_log_is_printed_without_what_moves_the_cursor(mmrl: Run, tmp_path: Path) -> None:
    (tmp_path / "results" / "quick_1" / "log.txt").write_text("epoch 1\nlr \x1b[2J2\n")
    assert mmrl("runs", "log", "quick_1")[:2] == (0, "epoch 1\nlr  [2J2\n")
    code, _, err = mmrl("runs", "log", "quick_2")
    assert code == 2 and "has no log.txt" in err


def test_a_log_is_followed_until_the_training_ends(mmrl: Run, tmp_path: Path) -> None:
    folder = tmp_path / "results" / "quick_1"
    (folder / "log.txt").write_text("epoch 1\n")
    lock = RunLock(folder).take()

    def train() -> None:
        time.sleep(0.3)
        with (folder / "log.txt").open("a") as log:
            log.write("epoch 2\n")
        lock.release()

    thread = threading.Thread(target=train)
    thread.start()
    assert mmrl("runs", "log", "quick_1", "--follow")[1] == "epoch 1\nepoch 2\n"
    thread.join()


def test_attach_shows_the_epochs_that_come_and_how_it_ends(
    mmrl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "results" / "quick_1"
    lines = (folder / "metrics.jsonl").read_bytes().splitlines(True)
    last, count = lines[-1], len(lines)
    (folder / "metrics.jsonl").write_bytes(b"".join(lines[:-2]))
    lock = RunLock(folder).take()

    def train() -> None:
        with (folder / "metrics.jsonl").open("ab") as metrics:
            metrics.write(lines[-2] + last[:50])
            metrics.flush()
            time.sleep(0.3)
            metrics.write(last[50:])
        lock.release()

    thread, looks = threading.Thread(target=train), iter(range(10_000))

    def locked(where: Path) -> bool:
        if next(looks) == 1:  # the epochs of the past are shown
            thread.start()
        return is_locked(where)

    monkeypatch.setattr(attach, "is_locked", locked)
    code, out, err = mmrl("runs", "attach", "quick_1", "--json")
    thread.join()
    records = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and [r["epoch"] for r in records[:-1]] == [count - 1, count]
    assert (records[-1]["state"], records[-1]["epochs"]) == ("finished", count)
    assert f"mmrl train --load quick_1 --expand {count}\n" in err


def test_leaving_an_attached_run_stops_nothing(mmrl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mmrl.commands.attach.time.sleep", interrupt)
    with RunLock(tmp_path / "results" / "quick_1"):
        code, _, err = mmrl("runs", "attach", "quick_1")
        assert code == 0 and "quick_1 goes on training\n" in err and "mmrl runs stop quick_1" in err
        assert not (tmp_path / "results" / "quick_1" / "control.json").exists()
    code, _, err = mmrl("runs", "attach", "quick_1")
    assert code == 2 and "is not being trained (it is finished): look at it with mmrl plot quick_1" in err


def test_a_run_is_shown_with_its_best_and_what_differs_from_its_preset(mmrl: Run, tmp_path: Path) -> None:
    best = max(
        (json.loads(line) for line in (GOOD / "quickstart" / "metrics.jsonl").read_text().splitlines()),
        key=lambda record: record["grade"] if "grade" in record else record["value_mean"],
    )
    folder = tmp_path / "results" / "quick_1"
    stored = config_file.read_config(folder)
    changed = replaced(stored.config, {"training.lr": 0.125})
    config_file.write_config(folder, changed, {**stored.origins, "training.lr": "flag"}, stored.meta)
    _, out, _ = mmrl("runs", "show", "quick_1")
    assert f"best     epoch {best['epoch']}," in out
    assert "settings that differ from preset quickstart\n" in out
    assert re.search(r"^  training.lr +0.125 +0.003 +flag$", out, re.MULTILINE)
    assert "mmrl evaluate quick_1 --agent naive" in out and "checkpoints/" in out
    (tmp_path / "results" / "quick_2" / "config.toml").write_text("x")
    code, out, _ = mmrl("runs", "show", "quick_2")
    assert code == 0 and "fault" in out and out.rstrip().endswith("mmrl runs doctor quick_2")


def test_states_are_called_as_the_terminal_ui_calls_them(mmrl: Run) -> None:
    info = listing.find_runs("results")[0]
    for state in STATES:
        [_, line] = runs_table.listed([replace(info, state=state)], ("name", "state"), 80)
        assert state_text(state, {}).plain.split()[1] == line.split()[1]
        facts = "\n".join(show.about(replace(info, state=state), 80))
        assert f"state    {line.split()[1]}, epoch" in facts
    assert mmrl("runs", "pause", "quick_1")[2].startswith("mmrl: run quick_1 is not being trained (it is finished)")


def test_a_group_is_steered_by_its_name(mmrl: Run) -> None:
    plan = group_plan.plan(replaced(Config(), {"run.results": "results", "run.name": "five"}), (0, 1, 2), 1)
    folders = [run.folder for run in group_plan.begin(plan, {}, None) if run.folder]
    assert mmrl("runs", "stop", "five")[::2] == (
        2, "mmrl: no run of the group five is being trained (stopped)\n"
    )  # fmt: skip
    with RunLock(folders[0]), RunLock(folders[2]):
        code, out, _ = mmrl("runs", "change", "five", "lr=0.01", "--json")
        told = json.loads(out)
        assert (code, told["group"], told["runs"]) == (0, "five", ["five-seed0", "five-seed2"])
        assert mmrl("runs", "stop", "five")[:2] == (0, "asked 2 runs of five to stop\n")
        asked = [control.read_control(folder) for folder in folders]
        assert [(one["want"], one["set"]) for one in asked] == [
            ("stop", {"lr": 0.01}), ("run", {}), ("stop", {"lr": 0.01})
        ]  # fmt: skip
        assert mmrl("runs", "pause", "five-seed2")[:2] == (0, "asked five-seed2 to pause\n")
        assert control.read_control(folders[0])["want"] == "stop"
        (Path("results/five")).mkdir()
        (Path("results/five") / goals.SPEC).write_text("")
        assert "Ctrl-C stops each of its workers" in mmrl("runs", "stop", "five")[2]
