"""What a resume does is said and recorded, or refused with nothing changed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import main
from mmrl.runs.config_file import read_config

SETTINGS = ["-nt", "10", "-nb", "4", "--layer-size", "4", "--threads", "1", "-pa", "0", "--lr-end", "0.1"]
LR = 0.003


def mmrl(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main(["train", *arguments])
    shown = capsys.readouterr()
    return int(ended.value.code or 0), shown.err + shown.out


def records(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("finished")
    with pytest.raises(SystemExit) as ended:
        main(["train", *SETTINGS, "-ne", "3", "--results", str(root), "--name", "run"])
    assert not ended.value.code
    return root / "run"


@pytest.fixture
def run(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LR", "RESULTS", "NAME", "NB"):
        monkeypatch.delenv(f"MMRL_{name}", raising=False)
    shutil.copytree(trained, tmp_path / "run")
    return tmp_path / "run"


def files(run: Path) -> dict[str, bytes]:
    return {str(f.relative_to(run)): f.read_bytes() for f in run.rglob("*") if f.is_file() and f.name != "lock"}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["-ne", "2"], ["training.ne = 2", "3 epochs", "> 3"]),
        (["--expand", "2", "-ne", "9"], ["--expand 2", "training.ne = 9"]),
        (["--set", "lr=0.5"], ["training.lr = 0.5", "3 epochs", "--expand"]),
        (["-ne", "3", "--set", "discount=0.5"], ["reward.discount = 0.5", "--expand"]),
        (["--name", "other", "--expand", "1"], ["run.name = 'other'", "mmrl runs rename run other"]),
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_is_written(
    run: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], named: list[str]
) -> None:
    before = files(run)
    for more in ([], ["--dry-run"], ["--detach"]):
        code, text = mmrl(capsys, "--load", "run", "--results", str(run.parent), *arguments, *more)
        assert code == 2 and len(text.strip().splitlines()) == 1, text
        assert all(part in text for part in named), text
    assert files(run) == before
    assert sorted(path.name for path in run.parent.iterdir()) == ["run"]


def test_the_trainer_itself_refuses_for_callers_without_a_command_line(run: Path) -> None:
    from mmrl.display.plain import PlainView
    from mmrl.settings.errors import ConfigError
    from mmrl.settings.sources import replaced
    from mmrl.training.start import train

    before = files(run)
    config = replaced(read_config(run).config, {"training.ne": 1})
    with pytest.raises(ConfigError, match=r"training.ne = 1 .*3 epochs"):
        train(config, {}, load=str(run), expand=0, view=PlainView())
    assert files(run) == before


def test_its_own_name_and_nothing_to_do_are_no_fault(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = mmrl(capsys, "--load", "run", "--results", str(run.parent), "--name", "run", "-ne", "3")
    assert code == 0 and "finished" in text and "changed" not in text
    assert len(records(run)) == 3


def test_changes_are_said_and_stand_in_the_metrics(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--load", "run", "--results", str(run.parent)]
    code, text = mmrl(capsys, *place, "--expand", "2", "--set", "entropy=0.01", "--set", "final_penalty=0.5")
    assert code == 0, text
    assert "changed after epoch 3: final_penalty 0.0 -> 0.5" in text.replace("reward.", "")
    assert "entropy 0.0 -> 0.01" in text and "target 3 -> 5" in text
    rows = records(run)
    assert [row.get("event") for row in rows] == [
        *(None, None, None),
        {"reward.final_penalty": 0.5, "ne": 5, "entropy": 0.01},
        None,
    ]
    # the rate had fallen to a tenth: it stays there, and that is said
    assert [row["learning_rate"] for row in rows] == pytest.approx([LR, 0.55 * LR, *[0.1 * LR] * 3])
    assert "learning rate stays at 0.0003: -lr sets another one" in text


def test_a_change_whose_epoch_was_never_written_is_recorded_by_the_next_resume(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from mmrl.runs.config_file import write_config
    from mmrl.settings.sources import replaced

    stored = read_config(run)  # as a process leaves it that was killed in its first epoch
    write_config(run, replaced(stored.config, {"training.ne": 4, "training.lr": 0.01}), stored.origins, stored.meta)
    code, text = mmrl(capsys, "--load", "run", "--results", str(run.parent))
    assert code == 0, text
    assert records(run)[-1]["event"] == {"ne": 4, "lr": 0.01}


def test_variables_that_a_resumed_run_does_not_follow_are_named(
    run: Path,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MMRL_LR", "0.5")
    monkeypatch.setenv("MMRL_NB", "4")  # as the run has it
    monkeypatch.setenv("MMRL_RESULTS", str(run.parent))
    assert mmrl(capsys, "--load", "run", "--dry-run")[0] == 0
    assert [note for note in caplog.messages if "MMRL" in note] == [
        "mmrl: MMRL_LR is not used: --load takes the settings of the run, and those of flags"
    ]
    caplog.clear()
    assert mmrl(capsys, "--load", "run", "--expand", "1", "-lr", "0.25", "--dry-run")[0] == 0
    assert "MMRL" not in caplog.text


def a_folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()
    (path / "kept").write_text("mine")


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("pattern", "spoil", "words"),
    [
        ("checkpoints/*", lambda path: path.write_bytes(b""), "no sound checkpoint in run"),
        ("checkpoints/*.json", a_folder, "no sound checkpoint in run"),
        ("metrics.jsonl", a_pipe, "metrics.jsonl is not a regular file"),
        ("metrics.jsonl", a_folder, "metrics.jsonl is not a regular file"),
    ],
)
def test_a_run_with_nothing_to_go_on_from_is_left_as_it_is(
    pattern: str, spoil: Callable[[Path], None], words: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in run.glob(pattern):
        spoil(path)
    before = files(run)
    code, said = mmrl(capsys, "--load", str(run), "--expand", "2", "-lr", "0.01")
    assert code == 1 and words in said and "resuming" not in said
    assert files(run) == before


@pytest.mark.parametrize("name", ["checkpoints/000003.json", "checkpoints/000004.json", "manifest.json", "status.json"])
def test_folders_in_the_place_of_files_do_not_stop_a_run(
    name: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a_folder(run / name)
    code, said = mmrl(capsys, "--load", str(run), "-ne", "5")
    assert code == 0, said
    assert [row["epoch"] for row in records(run)] == [1, 2, 3, 4, 5]
    assert (run / f"{name}.folder" / "kept").read_text() == "mine" and f"{name} was a folder" in said
