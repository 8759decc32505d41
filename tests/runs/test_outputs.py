"""Places for files that commands write: what is a run's own is never overwritten, not by --force either."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from cli import main
from mmrl.runs.outputs import check_output, run_of
from mmrl.settings.errors import ConfigError

GOOD = Path(__file__).resolve().parents[2] / "good-results" / "quickstart"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return shutil.copytree(GOOD, tmp_path / "results" / "a")


@pytest.mark.parametrize(
    "name",
    ["metrics.jsonl", "config.toml", "status.json", "manifest.json", "manifest.previous.json", "market.toml",
     "control.json", "lock", "log.txt", "checkpoints/x.csv", "episodes/000400.npz"],
)  # fmt: skip
def test_files_of_a_run_are_refused_with_and_without_force(run: Path, name: str) -> None:
    assert run_of(run / name) == run
    for force in (False, True):
        with pytest.raises(ConfigError, match="would be a file of the run a: choose another name"):
            check_output("--csv", f"results/a/{name}", force)


def test_other_files_may_lie_beside_them(run: Path) -> None:
    check_output("--csv", "results/a/mine.csv", force=False)
    Path("config.toml").write_text("a file of settings is no run")
    assert run_of(Path("config.toml")) is None and run_of(Path("metrics.jsonl")) is None
    check_output("-o", "config.toml")
    with pytest.raises(ConfigError, match=r"-o config\.toml exists: choose another name, or overwrite it with --force"):
        check_output("-o", "config.toml", force=False)


def test_a_link_is_what_it_leads_to_and_a_sweep_keeps_its_files(run: Path) -> None:
    Path("l.png").symlink_to("results/a/config.toml")
    with pytest.raises(ConfigError, match="would be a file of the run a"):
        check_output("--save", "l.png")
    (run / "wandb").mkdir()
    for name in ("tensorboard", "wandb/events"):
        with pytest.raises(ConfigError, match="would be a file of the run a"):
            check_output("--csv", f"results/a/{name}")
    Path("results/s").mkdir()
    check_output("--csv", "results/s/journal.log")
    Path("results/s/sweep.toml").touch()
    for name in ("sweep.toml", "journal.log"):
        with pytest.raises(ConfigError, match="would be a file of the sweep s: choose another name"):
            check_output("--csv", f"results/s/{name}")


@pytest.mark.parametrize("place, told", [("", "must have a name"), (" ", "must have a name"), ("no/a", "no folder no")])
def test_what_is_no_place_is_refused(run: Path, place: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        check_output("--save", place)


@pytest.mark.parametrize(
    "command",
    [
        "export a --csv results/a/metrics.jsonl --force",
        "export a --numpy results/a/checkpoints/a.npz --force",
        "plot a --save results/a/episodes/a.svg",
        "export a --csv=",
        "export a --csv b.csv --tensorboard=",
        "export a --numpy=",
        "plot a --save=.svg/",
    ],
)
def test_commands_refuse_them_and_write_nothing(run: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()}
    with pytest.raises(SystemExit) as ended:
        main(command.split(" "))
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and out == "" and err.count("\n") == 1
    assert {path: path.read_bytes() for path in Path().rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("command", ["plot a", "export a --csv b.csv"])
def test_rows_that_cannot_be_read_are_told(run: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = (run / "metrics.jsonl").read_bytes().splitlines(keepends=True)
    rows[2:4] = [b'{"epoch": 3, "value_\0mean"\n', b"[3]\n"]
    (run / "metrics.jsonl").write_bytes(b"".join(rows) + b'{"epoch": 99')
    with pytest.raises(SystemExit) as ended:
        main(command.split(" "))
    assert ended.value.code == 0
    assert capsys.readouterr().err == "a: 2 rows are left out, damaged in metrics.jsonl: mmrl runs doctor a\n"
