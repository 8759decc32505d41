"""Standard streams that are closed, cannot hold a letter, or lose their reader; signals of a terminal that goes."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mmrl.runs.status import read_status

ROOT = Path(__file__).resolve().parents[2]
TINY = "-nt 20 -nb 4 --layer-size 8 --threads 1 -pa 0 --name run"
MMRL = f"{shlex.quote(sys.executable)} -m mmrl"
Result = subprocess.CompletedProcess[str]


def sh(line: str, cwd: Path, **variables: str) -> Result:
    """A line of bash in which MMRL is the command."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MMRL_")}
    line = "set -o pipefail; " + line.replace("MMRL", MMRL)
    environment = {**clean, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run(
        ["bash", "-c", line], cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def a_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which results/run has been trained."""
    place = tmp_path_factory.mktemp("place")
    assert sh(f"MMRL train {TINY} -ne 2", place).returncode == 0
    return place


ALONE = [pytest.param(closed, marks=pytest.mark.nightly) for closed in (">&-", "<&-", "2>&-", "<&- >&-")]


@pytest.mark.parametrize("closed", [*ALONE, ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_training_needs_no_open_streams(closed: str, tmp_path: Path) -> None:
    done = sh(f"MMRL train {TINY} -ne 2 --json {closed}", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert read_status(tmp_path / "results" / "run")["state"] == "finished"


def test_notes_do_not_go_into_the_data_when_stderr_is_closed(tmp_path: Path) -> None:
    sh(f"MMRL train {TINY} -ne 2", tmp_path)
    done = sh("MMRL train --load run --expand 2 --json 2>&-", tmp_path)  # says that it resumes
    assert [json.loads(line)["epoch"] for line in done.stdout.splitlines()[:-1]] == [3, 4]


def test_what_an_encoding_cannot_hold_is_replaced(tmp_path: Path) -> None:
    sh(f"MMRL train {TINY} -ne 2", tmp_path)
    lines = [
        "runs list", "runs show run", "plot run", "plot run --what training", "--help", "train --help-all",
        "train --dry-run",
        "evaluate --agent naive --agent symmetric --market avellaneda-stoikov --trajectories 10",
        "runs list --results é", "train --config é.toml",
    ]  # fmt: skip
    for line in lines:
        done = sh(f"MMRL {line}", tmp_path, PYTHONIOENCODING="ascii")
        assert done.returncode in (0, 2), (line, done.stderr)
        assert "Traceback" not in done.stderr and "UnicodeEncodeError" not in done.stderr, line
        assert (done.stdout + done.stderr).isascii(), line


@pytest.mark.parametrize("view", [pytest.param("", marks=pytest.mark.nightly), "--json"])
def test_a_reader_that_leaves_interrupts_a_training(view: str, tmp_path: Path) -> None:
    done = sh(f"MMRL train {TINY} -ne 1000000 {view} | head -1", tmp_path)
    assert done.returncode == 128 + signal.SIGPIPE, done.stderr
    status = read_status(tmp_path / "results" / "run")
    assert (status["state"], status["error"]) == ("interrupted", None)
    assert "Broken pipe" not in done.stderr
    assert f"  go on     {MMRL} train --load run\n" in done.stderr
    assert sh("MMRL train --load run -ne 10000 --json | head -1", tmp_path).returncode == 128 + signal.SIGPIPE


def test_both_readers_may_leave(tmp_path: Path) -> None:
    done = sh(f"MMRL train {TINY} -ne 1000000 --json 2>&1 | head -1", tmp_path)
    assert done.returncode == 128 + signal.SIGPIPE
    assert read_status(tmp_path / "results" / "run")["state"] == "interrupted"


def test_under_nohup_a_training_outlives_its_reader_and_its_terminal(tmp_path: Path) -> None:
    done = sh(f"(trap '' HUP; MMRL train {TINY} -ne 60 --json) | head -1", tmp_path)
    assert done.returncode == 0, done.stderr
    status = read_status(tmp_path / "results" / "run")
    assert (status["state"], status["epoch"]) == ("finished", 60)


def test_without_that_care_a_training_fails(tmp_path: Path) -> None:
    """The mutant: views that print as usual."""
    mutant = "import mmrl.display.base as b, mmrl.display.json_lines as j; import cli; "
    mutant += "b.write = lambda text, stream: print(text, end='', file=stream, flush=True); cli.main()"
    sh(f"{shlex.quote(sys.executable)} -c {shlex.quote(mutant)} train {TINY} -ne 1000000 --json | head -1", tmp_path)
    assert read_status(tmp_path / "results" / "run")["state"] == "failed"


@pytest.mark.parametrize(
    "line",
    [
        "runs list", "plot run", "config run", "train --dry-run", "train --help", "--version",
        "evaluate --market avellaneda-stoikov --agent symmetric --trajectories 10",
    ],
)  # fmt: skip
def test_other_commands_end_quietly_when_the_reader_leaves(line: str, a_run: Path) -> None:
    sh(f"MMRL {line} > out", a_run)  # a market that has to be compiled is told
    done = sh(f"MMRL {line} | true", a_run)
    assert (done.returncode, done.stderr) == (128 + signal.SIGPIPE, "")


def test_a_reader_may_leave_in_the_middle(a_run: Path) -> None:
    line = "config --schema"
    assert len(sh(f"MMRL {line}", a_run).stdout) > 65_536  # more than a pipe holds
    done = sh(f"MMRL {line} | head -c 1", a_run)
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGPIPE, "{", "")


def test_a_broken_pipe_to_another_process_is_said() -> None:
    """Typer takes it for a reader that left, and ends without a word."""
    broken = "import sys, cli; from mmrl.commands import presets\n"
    broken += "def show(*_): raise BrokenPipeError(32, 'Broken pipe')\n"
    broken += "presets.show = show; cli.main(['presets'])"
    done = sh(f"{shlex.quote(sys.executable)} -c {shlex.quote(broken)}", ROOT)
    assert done.returncode == 1
    assert done.stderr.startswith("mmrl: a pipe to another process broke: ") and done.stderr.count("\n") == 1


def test_a_full_output_is_one_line(tmp_path: Path) -> None:
    done = sh("MMRL runs list > /dev/full", tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "No space left on device" in done.stderr


def test_a_full_output_of_a_training_is_named(tmp_path: Path) -> None:
    """Else it would read like a full disk below the results."""
    done = sh(f"MMRL train {TINY} -ne 2 > /dev/full", tmp_path)
    assert done.returncode == 1 and "No space left on device: 'standard output'" in done.stderr


@pytest.mark.parametrize(
    ("line", "code", "out"),
    [
        ("nonsense", 2, ""),
        ("runs show nothing", 3, ""),
        (f"train {TINY} -ne 2", 0, "finished after epoch 2"),
        ("simulate --market order-flow --events 20 -o tape", 0, "20 messages"),
    ],
)
def test_where_notes_are_lost_the_rest_is_as_ever(line: str, code: int, out: str, tmp_path: Path) -> None:
    done = sh(f"MMRL {line} 2> /dev/full", tmp_path)
    assert done.returncode == code and out in done.stdout


def test_a_terminal_that_closes_interrupts_a_training(tmp_path: Path) -> None:
    """The terminal is gone for writing too: EIO, not EPIPE."""
    import pty

    master, slave = pty.openpty()
    command = [sys.executable, "-m", "mmrl", "train", *TINY.split(), "-ne", "1000000"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm"}
    child = subprocess.Popen(
        ["setsid", "-c", "-w", *command], cwd=tmp_path, env=environment, stdin=slave, stdout=slave, stderr=slave
    )
    os.close(slave)
    deadline = time.monotonic() + 60
    while not (tmp_path / "results" / "run" / "checkpoints").is_dir() or not any(
        (tmp_path / "results" / "run" / "checkpoints").glob("*.json")
    ):
        assert time.monotonic() < deadline and child.poll() is None
        os.read(master, 65536)
    os.close(master)
    assert child.wait(60) == 128 + signal.SIGHUP
    assert read_status(tmp_path / "results" / "run")["state"] == "interrupted"


@pytest.mark.parametrize("line", ["runs list", "train --dry-run", "plot"])
def test_a_deleted_directory_is_one_line(line: str, tmp_path: Path) -> None:
    done = sh(f"mkdir gone; cd gone; rmdir ../gone; MMRL {line}", tmp_path)
    assert done.returncode == 2
    assert done.stderr == "mmrl: the current directory has been deleted: change to another one (cd)\n"


def test_a_terminal_of_absurd_size_is_drawn_at_a_sane_one(tmp_path: Path) -> None:
    sh(f"MMRL train {TINY} -ne 2", tmp_path)
    done = sh("MMRL plot run", tmp_path, COLUMNS="100000", LINES="100000")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) <= 1000 and max(map(len, lines)) <= 1000
