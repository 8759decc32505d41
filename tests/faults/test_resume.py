"""A run stopped anywhere and resumed is the run that was never stopped, byte for byte; without its state it is not."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.harness import ROOT, TINY, Nursery, equal, trained, weights

ALGORITHMS = {
    "ppo": [],
    "ppo-td": ["-td"],
    "reinforce": ["-np"],
    "reinforce-td": ["-np", "-td"],
    "ppo-plain": ["-na"],
}


SHORT = {("ppo", "compiled")}


def stopped_and_resumed(nursery: Nursery, place: Path, settings: list[str], stops: list[int], **task: object) -> Path:
    """A run of the last epoch of `stops`, in as many processes."""
    trained(nursery, place, *settings, "-ne", str(stops[0]), "--name", "run")
    for before, after in itertools.pairwise(stops):
        trained(nursery, place, "--load", "run", "--expand", str(after - before), **task)
    return place / "run"


MATRIX = [pytest.param(algorithm, engine, marks=[] if (algorithm, engine) in SHORT else [pytest.mark.slow_fault])
          for algorithm in ALGORITHMS for engine in ("compiled", "tensor")]  # fmt: skip


@pytest.mark.parametrize(("algorithm", "engine"), MATRIX)
def test_resume_is_exact(
    nursery: Nursery,
    tmp_path: Path,
    figure: Callable[..., None],
    caught: Callable[..., None],
    algorithm: str,
    engine: str,
    complete: bool,
) -> None:
    settings = [*TINY, *ALGORITHMS[algorithm], "--engine", engine]
    for folder in ("straight", "parts", "twin"):
        (tmp_path / folder).mkdir()
    stops = [1, 7, 30, 60] if complete else [1, 4]
    trained(nursery, tmp_path / "straight", *settings, "-ne", str(stops[-1]), "--name", "run")
    run = stopped_and_resumed(nursery, tmp_path / "parts", settings, stops)
    assert equal(tmp_path / "straight" / "run", run)
    twin = stopped_and_resumed(nursery, tmp_path / "twin", settings, stops, mutant="no_random_state")
    assert not equal(tmp_path / "straight" / "run", twin)
    parts = "stopped at 1, 7 and 30 of 60" if complete else "stopped at 1 of 4"
    figure(8, f"{algorithm} on {engine}, {parts}: metrics and weights", "equal", "equal")
    caught(8, f"{algorithm} on {engine} resumed without its random state: differs")


@pytest.mark.parametrize(
    "mutant",
    ["no_optimiser_state", *(pytest.param(name, marks=pytest.mark.slow_fault)
                             for name in ("no_normaliser_state", "no_return_scale"))],
)  # fmt: skip
def test_every_part_of_the_state_is_needed(
    nursery: Nursery, tmp_path: Path, caught: Callable[..., None], mutant: str
) -> None:
    for folder in ("straight", "twin"):
        (tmp_path / folder).mkdir()
    trained(nursery, tmp_path / "straight", *TINY, "-ne", "4", "--name", "run")
    twin = stopped_and_resumed(nursery, tmp_path / "twin", TINY, [2, 4], mutant=mutant)
    assert not equal(tmp_path / "straight" / "run", twin)
    caught(8, f"resumed with {mutant.replace('_', ' ')}: differs")


def distinct(nursery: Nursery, place: Path, count: int, **task: object) -> int:
    """How many different results one seed has in `count` processes."""
    hashes = set()
    for k in range(count):
        (place / str(k)).mkdir(parents=True)
        trained(nursery, place / str(k), *TINY, "-ne", "3", "--name", "run", **task)
        hashes.add(weights(place / str(k) / "run"))
    return len(hashes)


def test_repeated(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None], caught: Callable[..., None], complete: bool
) -> None:
    count = 5 if complete else 2
    assert distinct(nursery, tmp_path / "good", count) == 1
    assert distinct(nursery, tmp_path / "mutant", 2, mutant="unseeded") == 2
    figure(9, f"distinct results of one seed in {count} processes", 1, "1")
    caught(9, "seeds of the system instead of the run's: 2 results in 2 processes")


def test_another_thread_count_is_said(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None], caught: Callable[..., None]
) -> None:
    trained(nursery, tmp_path, *TINY, "-ne", "1", "--name", "run")
    for k, mutant in enumerate(("", "versions_untold")):
        threads = ["--threads", str(2 - k)]
        child = trained(nursery, tmp_path, "--load", "run", "--expand", "1", *threads, mutant=mutant)
        said = [line for line in child.text().splitlines() if "not bit for bit" in line]
        assert (not said) if mutant else (len(said) == 1 and "threads 1 -> 2" in said[0]), child.text()
    figure(9, "resumed with another thread count: said in one line", "yes", "yes")
    caught(9, "versions and threads not compared: nothing is said")


SEEDED = "import sys, cli; from tests.faults.mutants import switch_on; switch_on(sys.argv[1]); cli.main(sys.argv[2:])"


@pytest.mark.slow_fault
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
