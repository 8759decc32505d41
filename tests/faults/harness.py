"""Processes to do harm to: forked from a warm nursery, signalled, traced, and asked how they ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from mmrl.runs.manifest import BrokenRun
from mmrl.runs.slots import reached

ROOT = Path(__file__).resolve().parents[2]
ONE_STEP = ["-nt", "20", "-nb", "4", "--layer-size", "8", "--threads", "1"]
TINY = [*ONE_STEP, "--set", "minibatches=2", "-uf", "2"]
MEASURED = ("seconds_rollout", "seconds_update", "steps_per_second", "wall")
TOLD = "event"  # settings that changed: a run that was expanded says so


class Child:
    """A forked process."""

    def __init__(self, nursery: Nursery, pid: int, out: Path) -> None:
        self.nursery, self.pid, self.out = nursery, pid, out
        self.code: int | None = None

    def poll(self) -> int | None:
        """Exit code, negative signal, or None while it runs."""
        if self.code is None:
            self.code = self.nursery.ask(poll=self.pid)["status"]
        return self.code

    def wait(self, seconds: float = 120) -> int:
        """The exit code; kills the process when it takes too long."""
        deadline = time.monotonic() + seconds
        pause = 0.001
        while self.poll() is None:
            if time.monotonic() > deadline:
                self.signal(signal.SIGKILL)
                raise AssertionError(f"process {self.pid} did not end: {self.text()[-2000:]}")
            time.sleep(pause)
            pause = min(pause * 2, 0.02)
        assert self.code is not None
        return self.code

    def signal(self, number: int) -> None:
        """Send a signal unless the process has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def text(self) -> str:
        """What it printed."""
        return self.out.read_text(errors="replace") if self.out.exists() else ""

    def cost(self) -> dict[str, float]:
        """Seconds and megabytes that a command took."""
        return json.loads(Path(f"{self.out}.cost").read_text())  # type: ignore[no-any-return]


class Nursery:
    """The process that forks the children."""

    def __init__(self, *modules: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.nursery", *modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert self.process.stdout and json.loads(self.process.stdout.readline())["ready"]
        self.count = 0

    def ask(self, **task: Any) -> dict[str, Any]:
        """One task, one answer."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())  # type: ignore[no-any-return]

    def start(self, place: Path, kind: str = "command", **task: Any) -> Child:
        """Fork a child; its output goes to a file in `place`."""
        self.count += 1
        out = place / f"out-{self.count}.txt"
        return Child(self, self.ask(kind=kind, out=str(out), **task)["pid"], out)

    def mmrl(self, place: Path, *arguments: str, **task: Any) -> Child:
        """The command line in a child."""
        return self.start(place, arguments=list(arguments), **task)

    def close(self) -> None:
        """End the nursery."""
        assert self.process.stdin and self.process.stdout
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def records(folder: Path) -> list[dict[str, Any]]:
    """The metrics of a run without what a clock measured and what is said of its settings."""
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in (*MEASURED, TOLD)} for line in lines]


def newest(folder: Path) -> int:
    """The epoch from which a resume goes on, 0 before the first."""
    try:
        return reached(folder)
    except (OSError, BrokenRun):
        return 0


def weights(folder: Path) -> str:
    """SHA-256 of the newest checkpoint's tensors and of its JSON, random state included, without the settings."""
    import hashlib

    stem = folder / "checkpoints" / f"{newest(folder):06d}"
    state = json.loads(stem.with_suffix(".json").read_text())
    parts = [part for part in state["__dict__"] if part[0] != "settings"]
    assert len(parts) == len(state["__dict__"]) - 1
    return hashlib.sha256(stem.with_suffix(".safetensors").read_bytes() + json.dumps(parts).encode()).hexdigest()


def equal(a: Path, b: Path) -> bool:
    """Whether two runs have the same metrics and the same newest checkpoint, byte for byte."""
    return records(a) == records(b) and weights(a) == weights(b)


def trained(nursery: Nursery, place: Path, *arguments: str, code: int = 0, **task: Any) -> Child:
    """A training process that has ended as it should."""
    child = nursery.mmrl(place, "train", "--results", str(place), "-pa", "5", *arguments, **task)
    assert child.wait(600) == code, child.text()  # a thousand epochs beside other work
    return child


def wait_until(true: Any, seconds: float = 120, pause: float = 0.01) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(pause)
