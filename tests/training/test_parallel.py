"""Two and three processes roll out, learn and record what one does: trajectories to the last bit, sums to rounding."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.distributed as dist

from mmrl.commands.train import helps
from mmrl.learn.trainer import Trainer
from mmrl.rollout.engines import TorchEngine
from mmrl.rollout.trajectories import PER_STEP, PER_TRAJECTORY
from mmrl.runs import listing
from mmrl.settings.errors import ConfigError
from mmrl.settings.sources import replaced
from mmrl.training import parallel, ranks
from mmrl.training.signals import Interruption
from tests.training import helpers

ROOT = Path(__file__).resolve().parents[2]
Seen = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def alone() -> Seen:
    return helpers.observed(Trainer(helpers.config()))


@pytest.fixture(scope="module", params=[2, pytest.param(3, marks=pytest.mark.nightly)])
def together(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    target = tmp_path_factory.mktemp("ranks") / "seen.npz"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, helpers.__file__]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = [
        subprocess.Popen([*command, str(k), str(request.param), str(port), str(target)], env=environment)
        for k in range(request.param)
    ]
    try:
        assert [process.wait(300) for process in started] == [0] * request.param
    finally:
        for process in started:
            process.kill()
    with np.load(target) as file:
        return dict(file)


def test_the_batch_is_the_same_to_the_last_bit(alone: Seen, together: Seen) -> None:
    for name in (*PER_STEP, *PER_TRAJECTORY, "offsets"):
        assert together[name].dtype == alone[name].dtype, name
        np.testing.assert_array_equal(together[name], alone[name], err_msg=name)


@pytest.mark.parametrize("rows", ["all", "some"])
def test_gradients_and_their_figures_agree_to_rounding(alone: Seen, together: Seen, rows: str) -> None:
    gradient = alone[f"gradient_{rows}"]
    np.testing.assert_allclose(together[f"gradient_{rows}"], gradient, rtol=0, atol=1e-6 * np.abs(gradient).max())
    np.testing.assert_allclose(together[f"numbers_{rows}"], alone[f"numbers_{rows}"], rtol=1e-5, atol=1e-9)


def test_three_epochs_lead_to_the_same_policy_and_statistics(alone: Seen, together: Seen) -> None:
    np.testing.assert_allclose(together["parameters"], alone["parameters"], atol=1e-4)
    for name in ("mean", "var", "value", "record"):
        np.testing.assert_allclose(together[name], alone[name], rtol=1e-3, atol=1e-3, err_msg=name)


@pytest.mark.parametrize(("count", "of"), [(5, 2), (5, 3), (7, 7), (100, 8), (2, 3)])
def test_shares_are_all_there_is_and_even(count: int, of: int) -> None:
    shares = [parallel.share(count, of, number) for number in range(of)]
    assert [shares[0][0], *(last for _, last in shares)] == [0, *(first for first, _ in shares[1:]), count]
    assert max(b - a for a, b in shares) - min(b - a for a, b in shares) <= 1


def test_what_cannot_be_shared_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ranks.ranks() == 1 and ranks.rank() == 0
    monkeypatch.setenv("WORLD_SIZE", "6")
    assert ranks.ranks() == 1  # SLURM and others set it too
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    with pytest.raises(ConfigError, match=r"training\.nb = 5 is below the 6 processes of torchrun"):
        parallel.check(helpers.config())
    with pytest.raises(ConfigError, match="add --engine compiled"):
        parallel.check(replaced(helpers.config(), {"run.engine": "tensor", "run.device": "cpu"}))
    with pytest.raises(ValueError, match="all trajectories of an epoch"):
        nobody: Any = None
        TorchEngine(helpers.config(), "cpu").rollout(nobody, None, seed=0, epoch=0, count=1, first=1)


@pytest.mark.parametrize(
    ("place", "visible", "seen"),
    [
        ("0", None, "0"),
        ("2", None, "2"),
        ("1", "5,3", "3"),
        ("2", "5,3", ""),
        ("1", "GPU-a,GPU-b", "GPU-b"),
        ("0", "", ""),
    ],
)
def test_each_process_sees_one_gpu_of_its_machine(place: str, visible: str | None, seen: str) -> None:
    variables = {"LOCAL_RANK": place} | ({} if visible is None else {"CUDA_VISIBLE_DEVICES": visible})
    ranks.see_one_gpu(variables)
    assert variables["CUDA_VISIBLE_DEVICES"] == seen


def test_gpus_talk_by_nccl_and_hosts_by_gloo(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parallel.backend() == "gloo" or torch.cuda.is_available()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(dist, "is_nccl_available", lambda: True)
    assert parallel.backend() == "cpu:gloo,cuda:nccl"


@pytest.mark.parametrize("number", ["0", "1"])
def test_what_starts_processes_of_its_own_is_refused_under_torchrun(
    number: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", number)
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")  # which it changes
    with pytest.raises(ConfigError, match="--seeds has no effect under torchrun"):
        helps(True, "--seeds")
    assert helps(False) == (number == "1")  # what only draws is done once


def test_signals_that_torchrun_repeats_count_once() -> None:
    began: list[int] = []
    with Interruption(lambda: began.append(1), settle=30.0).installed() as interruption:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGTERM):
            signal.raise_signal(number)
        time.sleep(0.2)
        assert interruption.exit_code == 130 and began == [1]


class Job:
    """A training started by torchrun."""

    def __init__(self, folder: Path, processes: int) -> None:
        arguments = ["-nt", "40", "-nb", "6", "--layer-size", "8", "--threads", "1", "-pa", "0", "-ne", "100000"]
        command = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "--no-python"]
        training = [sys.executable, "-m", "cli", "train", *arguments, "--name", "job", "--results", str(folder)]
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *command, *training], cwd=folder, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
            )  # fmt: skip

    def rank(self, number: int) -> int:
        """The process id of a rank."""
        for entry in Path("/proc").iterdir():
            with suppress(OSError, ValueError):
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.process.pid and f"RANK={number}".encode() in (entry / "environ").read_bytes().split(
                    b"\0"
                ):
                    return int(entry.name)
        raise AssertionError(f"no rank {number}")

    def ended(self) -> int:
        """Its exit code, within 30 seconds."""
        return self.process.wait(30)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    status = tmp_path / "job" / "status.json"
    assert not status.is_file() or "pid" in status.read_text()


def reached(folder: Path, epoch: int) -> None:
    deadline = time.monotonic() + 300  # kernels may have to be compiled
    while not folder.is_dir() or listing.describe(folder).epoch < epoch:
        assert time.monotonic() < deadline, (folder.parent / "log").read_text()
        time.sleep(0.1)


def rows(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="ranks are found in /proc")
def test_a_rank_that_dies_ends_the_job_and_the_run_goes_on_with_another_number(place: Path) -> None:
    chance, run = random.Random(1), place / "job"
    for round_, (processes, victim) in enumerate([(2, 1), (3, 2), (2, 0), (3, 0), (3, 1)]):
        before = listing.describe(run).epoch if round_ else 0
        job = Job(place, processes)
        reached(run, before + 2)
        time.sleep(chance.random())
        os.kill(job.rank(victim), signal.SIGKILL)
        assert job.ended() != 0
        info = listing.describe(run)
        assert info.state == ("crashed" if victim == 0 else "failed") and info.epoch >= before + 2
        assert [row["epoch"] for row in rows(run)] == list(range(1, info.epoch + 1))
    job = Job(place, 2)
    reached(run, listing.describe(run).epoch + 2)
    job.process.send_signal(signal.SIGTERM)
    job.ended()
    assert listing.describe(run).state == "interrupted"
    log = (place / "log").read_text()
    assert "processes changed from 2 to 3" in log and "another process of this training has ended" in log


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="ranks are found in /proc")
def test_a_job_is_paused_changed_and_stopped_as_a_training_alone_is(place: Path) -> None:
    run = place / "job"

    def asked(*words: str) -> None:
        done = subprocess.run(
            [sys.executable, "-m", "cli", "runs", *words, "--results", str(place)],
            cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def becomes(state: str) -> listing.RunInfo:
        deadline = time.monotonic() + 60
        while listing.describe(run).state != state:
            assert time.monotonic() < deadline, (listing.describe(run).state, (place / "log").read_text())
            time.sleep(0.1)
        return listing.describe(run)

    for number in (signal.SIGINT, signal.SIGTERM):
        before = listing.describe(run).epoch if run.is_dir() else 0
        job = Job(place, 2)
        reached(run, before + 2)
        job.process.send_signal(number)
        job.ended()
        info = becomes("interrupted")
        assert len(rows(run)) == info.epoch >= before + 2
    job = Job(place, 2)
    reached(run, listing.describe(run).epoch + 2)
    asked("pause", "job")
    epoch = becomes("paused").epoch
    time.sleep(1.0)
    assert listing.describe(run).epoch == epoch and job.process.poll() is None
    asked("change", "job", "lr=0.00123")
    asked("resume", "job")
    reached(run, epoch + 3)
    asked("stop", "job")
    job.ended()
    stopped = becomes("interrupted")
    told = rows(run)
    assert [row["epoch"] for row in told] == list(range(1, stopped.epoch + 1))
    assert told[-1]["learning_rate"] == 0.00123 and any("lr" in row.get("event", "") for row in told)


@pytest.mark.nightly
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="ranks are found in /proc")
def test_without_torchrun_the_ranks_end_with_a_checkpoint(place: Path) -> None:
    job = Job(place, 2)
    reached(place / "job", 2)
    processes = [job.rank(0), job.rank(1)]
    os.kill(job.process.pid, signal.SIGKILL)
    job.ended()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{number}").exists() for number in processes):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert listing.describe(place / "job").state == "interrupted"


@pytest.mark.nightly
def test_a_job_that_is_refused_ends_at_once(tmp_path: Path) -> None:
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "--no-python"]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, *command, sys.executable, "-m", "cli", "train", "-nb", "1", "--results", str(tmp_path)],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode and "training.nb = 1 is below the 2 processes of torchrun" in done.stderr
    assert time.monotonic() - began < 25  # not torchrun's 30 s of patience
    assert list(tmp_path.iterdir()) == []
