"""A run stopped anywhere and resumed is the run that was never stopped, byte for byte; without its state it is not."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.faults.harness import ONE_STEP, ROOT, TINY, Nursery, equal, newest, trained, weights

ALGORITHMS = {
    "ppo": [],
    "ppo-td": ["-td"],
    "reinforce": ["-np"],
    "reinforce-td": ["-np", "-td"],
    "ppo-plain": ["-na"],
}


SHORT = {("ppo", "compiled")}


def gone_on(nursery: Nursery, place: Path, *stops: int, **task: Any) -> Path:
    """A run resumed and stopped at each of some epochs."""
    for before, after in itertools.pairwise((newest(place / "run"), *stops)):
        trained(nursery, place, "--load", "run", "--expand", str(after - before), **task)
    return place / "run"


MATRIX = [pytest.param(algorithm, engine, marks=[] if (algorithm, engine) in SHORT else [pytest.mark.nightly])
          for algorithm in ALGORITHMS for engine in ("compiled", "tensor")]  # fmt: skip


@pytest.mark.parametrize(("algorithm", "engine"), MATRIX)
def test_resume_is_exact(
    nursery: Nursery,
    good: Path,
    tmp_path: Path,
    figure: Callable[..., None],
    caught: Callable[..., None],
    algorithm: str,
    engine: str,
    complete: bool,
) -> None:
    stops = (1, 7, 30, 60) if complete else (1, 2)
    tiny = ONE_STEP if "-np" in ALGORITHMS[algorithm] else TINY
    settings = [*tiny, *ALGORITHMS[algorithm], "--engine", engine, "--name", "run", "-ne"]
    for folder in ("straight", "parts"):
        (tmp_path / folder).mkdir()
    straight = tmp_path / "straight" / "run" if complete else good
    if complete:
        trained(nursery, tmp_path / "straight", *settings, str(stops[-1]))
    trained(nursery, tmp_path / "parts", *settings, str(stops[0]))
    shutil.copytree(tmp_path / "parts" / "run", tmp_path / "twin" / "run")
    assert equal(straight, gone_on(nursery, tmp_path / "parts", *stops[1:]))
    if "-np" not in ALGORITHMS[algorithm]:  # which learns from the whole batch at once, and draws no minibatches
        assert not equal(straight, gone_on(nursery, tmp_path / "twin", stops[-1], mutant="no_random_state"))
        caught(8, f"{algorithm} on {engine} resumed without its random state: differs")
    parts = "stopped at 1, 7 and 30 of 60" if complete else "stopped at 1 of 2"
    figure(8, f"{algorithm} on {engine}, {parts}: metrics and weights", "equal", "equal")


@pytest.mark.nightly
@pytest.mark.parametrize("mutant", ["no_optimiser_state", "no_normaliser_state", "no_value_function"])
def test_every_part_of_the_state_is_needed(
    nursery: Nursery, good: Path, tmp_path: Path, caught: Callable[..., None], mutant: str
) -> None:
    trained(nursery, tmp_path, *TINY, "-ne", "1", "--name", "run")
    assert not equal(good, gone_on(nursery, tmp_path, 2, mutant=mutant))
    caught(8, f"resumed with {mutant.replace('_', ' ')}: differs")


def distinct(nursery: Nursery, place: Path, count: int, **task: Any) -> set[str]:
    """The different results that one seed has in `count` processes."""
    found = set()
    for k in range(count):
        (place / str(k)).mkdir(parents=True)
        trained(nursery, place / str(k), *TINY, "-ne", "2", "--name", "run", **task)
        found.add(weights(place / str(k) / "run"))
    return found


def test_repeated(
    nursery: Nursery,
    good: Path,
    tmp_path: Path,
    figure: Callable[..., None],
    caught: Callable[..., None],
    complete: bool,
) -> None:
    count = 5 if complete else 2
    once = {weights(good)}
    assert distinct(nursery, tmp_path / "good", count - 1) == once
    assert distinct(nursery, tmp_path / "mutant", 1, mutant="unseeded") != once
    figure(9, f"distinct results of one seed in {count} processes", 1, "1")
    caught(9, "seeds of the system instead of the run's: 2 results in 2 processes")


def threads_told(nursery: Nursery, good: Path, place: Path, mutant: str = "") -> bool:
    shutil.copytree(good, place / "run")
    child = trained(nursery, place, "--load", "run", "--expand", "1", "--threads", "2", mutant=mutant)
    said = [line for line in child.text().splitlines() if "not bit-exact" in line]
    return len(said) == 1 and "threads changed from 1 to 2" in said[0]


def test_another_thread_count_is_said(
    nursery: Nursery, good: Path, tmp_path: Path, figure: Callable[..., None]
) -> None:
    assert threads_told(nursery, good, tmp_path)
    figure(9, "resumed with another thread count: said in one line", "yes", "yes")


@pytest.mark.nightly
def test_another_thread_count_not_said_is_caught(
    nursery: Nursery, good: Path, tmp_path: Path, caught: Callable[..., None]
) -> None:
    assert not threads_told(nursery, good, tmp_path, "versions_untold")
    caught(9, "versions and threads not compared: nothing is said")


SEEDED = "import sys, cli; from tests.faults.mutants import switch_on; switch_on(sys.argv[1]); cli.main(sys.argv[2:])"


@pytest.mark.nightly
def test_hash_seeds(tmp_path: Path, figure: Callable[..., None], caught: Callable[..., None]) -> None:
    import subprocess
    import sys

    counts = {}
    for start, seeds in ((["-m", "cli"], 5), (["-c", SEEDED, "hash_seeded"], 2)):
        hashes = set()
        for seed in range(seeds):
            name = f"run{seed}-{seeds}"
            command = [sys.executable, *start, "train", *TINY, "-ne", "3", "--name", name, "--results", str(tmp_path)]
            environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
            subprocess.run(command, env=environment, cwd=ROOT, check=True, capture_output=True)
            hashes.add(weights(tmp_path / name))
        counts[seeds] = len(hashes)
    assert counts == {5: 1, 2: 2}
    figure(9, "distinct results in fresh processes with PYTHONHASHSEED 0 to 4", counts[5], "1")
    caught(9, "seeds by Python's hash of a text: 2 results in 2 processes")
