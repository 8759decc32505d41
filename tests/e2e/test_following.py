"""The commands that a training prints at its end work as they are printed, in the shell that it was started from."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TINY = "-nt 5 -nb 2 --layer-size 4 --threads 1 -pa 0 --name 'run'"


def shell(line: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MMRL_")}
    return subprocess.run(
        ["bash", "-c", line], cwd=cwd, env={**clean, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.slow
def test_what_is_printed_works(tmp_path: Path) -> None:
    done = shell(f"{sys.executable} -m mmrl train {TINY} -ne 2 --results 'my runs' --json", tmp_path)
    assert done.returncode == 0, done.stderr
    last = json.loads(done.stdout.splitlines()[-1])
    assert (last["run"], last["folder"], last["state"]) == ("run", "my runs/run", "finished")
    found = re.findall(r"^  (go on|look|evaluate) +(.*)$", done.stderr, re.MULTILINE)
    assert [what for what, _ in found] == ["go on", "look", "evaluate"]
    for what, line in found:
        done = shell(line, tmp_path)
        assert done.returncode == 0, (line, done.stderr)
        assert what != "go on" or "finished after epoch 4" in done.stdout
    done = shell(f"{sys.executable} -m mmrl train --load run --results 'my runs'", tmp_path)
    assert "run is already at its target of 4 epochs: add --expand N" in done.stderr


@pytest.mark.slow
def test_a_detached_training_names_its_run_or_says_why_there_is_none(tmp_path: Path) -> None:
    done = shell(f"{sys.executable} -m mmrl train {TINY} -ne 100000 --detach", tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("results/run: training in process ")
    (stop,) = re.findall(r"^  stop +(.*)$", done.stdout, re.MULTILINE)
    again = shell(f"{sys.executable} -m mmrl train --load run --detach", tmp_path)
    assert again.returncode != 0 and again.stderr.startswith("mmrl: run run is ") and again.stdout == ""
    assert shell(stop, tmp_path).stdout == "asked run to stop\n"
    log = shell(f"{sys.executable} -m mmrl runs log run --follow", tmp_path).stdout
    assert "stopped after epoch" in log and f"  go on     {sys.executable} -m mmrl train --load run\n" in log
