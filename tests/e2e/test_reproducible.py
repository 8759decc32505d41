"""--reproducible: bits that do not follow the CPU, here one that is made to look older by the environment."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

OLDER = {"NUMBA_CPU_NAME": "x86-64-v2", "NUMBA_CPU_FEATURES": "+sse4.2", "ATEN_CPU_CAPABILITY": "default"}
SMALL = ("--preset", "avellaneda-stoikov", "-nt", "40", "-nb", "40", "--set", "start_inventory=0", "--threads", "1")


def mmrl(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", "train", *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=600, env={**os.environ, **environment}, check=False
    )


def digest(place: Path, name: str, *arguments: str, **environment: str) -> str:
    done = mmrl(*SMALL, "-ne", "2", "--results", str(place), "--name", name, *arguments, **environment)
    assert done.returncode == 0, done.stderr
    return hashlib.sha256((place / name / "checkpoints" / "000002.safetensors").read_bytes()).hexdigest()


@pytest.mark.nightly
@pytest.mark.slow
def test_the_bits_follow_the_cpu_unless_they_are_fixed(tmp_path: Path) -> None:
    assert digest(tmp_path, "here") != digest(tmp_path, "older", **OLDER)
    fixed = digest(tmp_path, "fixed", "--reproducible")
    assert fixed == digest(tmp_path, "older-fixed", "--reproducible", **OLDER)
    versions = json.loads((tmp_path / "fixed" / "manifest.json").read_text())["versions"]
    assert versions["cpu"].endswith(")") and len(versions["cpu"]) > 5

    # a resumed run keeps it, whatever the environment, and refuses the contrary
    for name, environment in (("fixed", {}), ("older-fixed", OLDER)):
        done = mmrl("--load", name, "--expand", "1", "--results", str(tmp_path), **environment)
        assert done.returncode == 0, done.stderr
    weights = [
        (tmp_path / name / "checkpoints" / "000003.safetensors").read_bytes() for name in ("fixed", "older-fixed")
    ]
    assert weights[0] == weights[1]
    done = mmrl("--load", "here", "--expand", "1", "--reproducible", "--results", str(tmp_path))
    assert done.returncode == 2 and "cannot change in a run that started with False" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--threads", "0"), "needs a number of threads"),
        (("--threads", "1", "--engine", "tensor"), "is for the compiled engine on a CPU"),
        (("--threads", "1", "--device", "cuda"), "is for the compiled engine on a CPU"),
    ],
)
def test_what_it_cannot_promise_is_refused(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    done = mmrl("--reproducible", *arguments, "--results", str(tmp_path / "results"))
    assert done.returncode == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "results").exists()
