"""Two processes, one run: one wins, the other is told by whom; nobody is left with a lock to clear away."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mmrl.runs.control import request
from mmrl.runs.lock import is_locked
from tests.faults.harness import TINY, Child, Nursery, newest, wait_until

WANTED = (
    "train --load run",
    "train --load run --expand 5",
    "runs rename run x",
    "runs trash run",
    "runs promote run",
)


def paused(nursery: Nursery, place: Path, *arguments: str) -> Child:
    child = nursery.mmrl(place, "train", *TINY, "-ne", "100000", "--results", str(place), "--name", "run", *arguments)
    wait_until(lambda: newest(place / "run") > 0 or child.poll() is not None)
    request(place / "run", "pause")
    wait_until(lambda: '"paused"' in (place / "run" / "status.json").read_text())
    return child


def snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_second_trainer_is_refused(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None], complete: bool
) -> None:
    owner = paused(nursery, tmp_path)
    run, before, rounds = tmp_path / "run", snapshot(tmp_path / "run"), 100 if complete else 3
    seconds = []
    for k in range(rounds):
        command = WANTED[k % len(WANTED)].split()
        child = nursery.mmrl(tmp_path, *command, "--results", str(tmp_path))
        assert child.wait() == 4, child.text()
        assert str(owner.pid) in child.text() and os.uname().nodename in child.text()
        seconds.append(json.loads(Path(f"{child.out}.cost").read_text())["seconds"])
    assert snapshot(run) == before
    owner.signal(signal.SIGKILL)
    began = time.monotonic()
    wait_until(lambda: not is_locked(run), pause=0.0002)
    freed = time.monotonic() - began
    child = nursery.mmrl(tmp_path, "runs", "rename", "run", "other", "--results", str(tmp_path))
    assert child.wait() == 0, child.text()  # no file to clear away by hand
    assert max(seconds) < 2
    figure(13, "second owner of a live run, told pid and host by exit 4: tried, admitted, most seconds",
           f"{rounds}, 0, {max(seconds):.2f}", "100, 0, < 2 s")  # fmt: skip
    figure(13, "ms until the lock of a killed trainer is free; stale locks", f"{freed * 1000:.1f}; 0", "0 stale")


def test_without_the_lock_it_is_admitted(nursery: Nursery, tmp_path: Path, caught: Callable[..., None]) -> None:
    owner = paused(nursery, tmp_path)
    child = nursery.mmrl(tmp_path, "runs", "rename", "run", "stolen", "--results", str(tmp_path), mutant="no_lock")
    code = child.wait()
    owner.signal(signal.SIGKILL)
    owner.wait()
    assert code == 0 and (tmp_path / "stolen").exists()
    caught(13, "a lock that lets everyone in: the second owner renamed the run under the first")


def orphaned(nursery: Nursery, place: Path, mutant: str) -> bool:
    """Whether a worker that its trainer forked still holds the run a second after the trainer was killed."""
    place.mkdir()
    owner = nursery.mmrl(place, "train", *TINY, "-ne", "100000", "--results", str(place), "--name", "run",
                         mutant=mutant)  # fmt: skip
    wait_until(lambda: newest(place / "run") > 3 or owner.poll() is not None)
    worker = int(owner.text().split("WORKER ")[1].split()[0])
    try:
        assert is_locked(place / "run")  # what the worker has let go is its own copy
        owner.signal(signal.SIGKILL)
        owner.wait()
        deadline = time.monotonic() + 1
        while is_locked(place / "run") and time.monotonic() < deadline:
            time.sleep(0.001)
        os.kill(worker, 0)  # it lives
        return is_locked(place / "run")
    finally:
        os.kill(worker, signal.SIGKILL)


def test_a_worker_does_not_keep_the_lock_of_its_dead_trainer(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None], caught: Callable[..., None], complete: bool
) -> None:
    assert not orphaned(nursery, tmp_path / "good", "forked_worker")
    figure(13, "a forked worker survives its trainer: the run is free", "yes", "yes")
    if complete:
        assert orphaned(nursery, tmp_path / "mutant", "lock_kept_by_workers")
        caught(13, "a worker that keeps the lock's descriptor: the run stays locked")


@pytest.mark.nightly
@pytest.mark.parametrize(
    "both",
    [
        ["--load", "run"],
        ["--load", "run", "--expand", "100000"],
    ],
)
def test_of_two_at_once_one_wins(nursery: Nursery, tmp_path: Path, both: list[str]) -> None:
    done = nursery.mmrl(tmp_path, "train", *TINY, "-ne", "2", "--results", str(tmp_path), "--name", "run")
    assert done.wait() == 0, done.text()
    if "--expand" not in both:
        text = (tmp_path / "run" / "config.toml").read_text()
        body = text[text.index("\n") : text.index("# sha256")]
        (tmp_path / "run" / "config.toml").write_text(body.replace("ne = 2\n", "ne = 100000\n"))
    two = [nursery.mmrl(tmp_path, "train", *both, "--results", str(tmp_path)) for _ in range(2)]
    wait_until(lambda: any(child.poll() is not None for child in two), pause=0.1)
    [loser] = [child for child in two if child.poll() is not None]
    [winner] = [child for child in two if child.poll() is None]
    assert loser.code == 4 and (str(winner.pid) in loser.text() or "moved" in loser.text()), loser.text()
    winner.signal(signal.SIGINT)
    assert winner.wait() == 130


@pytest.mark.nightly
@pytest.mark.parametrize(
    "act", ["rename run new", "trash run", "promote run", pytest.param("rename run Run", id="rename to other case")]
)
def test_of_two_at_once_one_moves_it(nursery: Nursery, tmp_path: Path, figure: Callable[..., None], act: str) -> None:
    from mmrl.runs.doctor import examine

    results, rounds = tmp_path / "results", 10
    results.mkdir()
    done = nursery.mmrl(tmp_path, "train", *TINY, "-ne", "2", "--results", str(results), "--name", "run")
    assert done.wait() == 0, done.text()
    for _ in range(rounds):
        place = tmp_path / "place"
        shutil.copytree(results, place / "results")
        two = [nursery.mmrl(tmp_path, "runs", *act.split(), "--results", str(place / "results")) for _ in range(2)]
        codes = sorted(child.wait() for child in two)
        assert codes[0] == 0 and codes[1] in (2, 3, 4), [child.text() for child in two]
        [folder] = [path.parent for path in place.rglob("config.toml") if act[0] != "p" or "good" in str(path)]
        assert not [one for one in examine(folder) if one.kind != "note"]
        assert not list(place.rglob(".*.tmp"))
        shutil.rmtree(place)
    figure(13, f"{act.replace(' run', '', 1)} by two processes at once: one does it, the run is sound",
           f"{rounds}/{rounds}", "all")  # fmt: skip


@pytest.mark.nightly
def test_two_started_at_once_get_names_of_their_own(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None]
) -> None:
    children = [nursery.mmrl(tmp_path, "train", *TINY, "-ne", "2", "--results", str(tmp_path)) for _ in range(4)]
    assert [child.wait() for child in children] == [0] * 4, [child.text() for child in children]
    names = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert len(names) == 4 and [name.rpartition("_")[2] for name in names[1:]] == ["1", "2", "3"], names
    assert len(ids(tmp_path)) == 4
    figure(21, "runs of the same settings started at once: own folders, own ids", "4/4", "4/4")


def ids(results: Path) -> set[str]:
    from mmrl.runs import listing

    return {info.id for info in listing.find_runs(results)}


@pytest.mark.nightly
def test_ids_by_the_second_clash(nursery: Nursery, tmp_path: Path, caught: Callable[..., None]) -> None:
    for mutant, expected in (("", 2), ("ids_by_the_second", 1)):
        place = tmp_path / f"place{mutant}"
        arguments = ["train", *TINY, "-ne", "1", "--results", str(place), "--name"]
        two = [nursery.mmrl(tmp_path, *arguments, name, mutant=mutant) for name in "ab"]
        assert [child.wait() for child in two] == [0, 0], [child.text() for child in two]
        assert len(ids(place)) == expected
    caught(21, "ids made of the time of day: two runs of one moment share theirs")


def test_killed_before_its_first_status_it_has_crashed_and_goes_on(nursery: Nursery, tmp_path: Path) -> None:
    from mmrl.runs import listing, store
    from mmrl.settings.model import Config
    from mmrl.settings.sources import replaced

    config = replaced(Config(), {"run.results": str(tmp_path), "nt": 20, "nb": 4, "layer_size": 8, "minibatches": 2,
                                 "update_freq": 2, "ne": 2, "threads": 1})  # fmt: skip
    folder = store.create(config, {})
    assert listing.find_run(folder.name, tmp_path).state == "crashed"
    child = nursery.mmrl(tmp_path, "train", *TINY, "-ne", "2", "--results", str(tmp_path))
    assert child.wait() == 0, child.text()
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [folder.name]


@pytest.mark.parametrize(
    "state",
    ["crashed", *(pytest.param(state, marks=pytest.mark.nightly) for state in ("finished", "interrupted"))],
)
def test_expand_renames_in_every_state(nursery: Nursery, tmp_path: Path, state: str) -> None:
    from mmrl.runs import listing

    epochs = "3" if state == "finished" else "100000"
    child = nursery.mmrl(tmp_path, "train", *TINY, "-ne", epochs, "--results", str(tmp_path))
    if state != "finished":
        wait_until(lambda: any(newest(path) > 1 for path in tmp_path.iterdir()) or child.poll() is not None)
        child.signal(signal.SIGINT if state == "interrupted" else signal.SIGKILL)
    child.wait()
    [before] = listing.find_runs(tmp_path)
    assert before.state == state
    watcher = (tmp_path / before.name / "metrics.jsonl").open()
    seen = len(watcher.readlines())
    child = nursery.mmrl(tmp_path, "train", "--load", before.name, "--expand", "2", "--results", str(tmp_path))
    target = int(epochs) + 2
    renamed = tmp_path / before.name.replace(f"_{epochs}-", f"_{target}-")
    wait_until(lambda: newest(renamed) > before.epoch + 1 or child.poll() is not None)
    child.signal(signal.SIGINT)
    assert child.wait() in (0, 130), child.text()
    [after] = listing.find_runs(tmp_path)
    assert (after.name, after.id, after.target) == (renamed.name, before.id, target)
    epoch = newest(renamed)
    stems = {path.stem for path in (renamed / "checkpoints").iterdir()}
    assert {f"{epoch:06d}", f"{epoch - 1:06d}"} <= stems and len(stems) <= 3
    if state != "crashed":  # there the row of an uncommitted epoch may have been cut off and written again
        assert [json.loads(row)["epoch"] for row in watcher.readlines()] == list(range(seen + 1, epoch + 1))
    watcher.close()


@pytest.mark.nightly
def test_a_clock_set_back(nursery: Nursery, tmp_path: Path, figure: Callable[..., None]) -> None:
    child = nursery.mmrl(
        tmp_path, "train", *TINY, "-ne", "3", "--results", str(tmp_path), "--name", "run", mutant="clock_set_back"
    )
    assert child.wait() == 0, child.text()
    child = nursery.mmrl(tmp_path, "runs", "list", "--results", str(tmp_path), "--json")
    assert child.wait() == 0 and json.loads(child.text())[0]["state"] == "finished"
    figure(21, "wall clock set back 1000 s at every look: trains, lists", "yes", "yes")


def test_where_nothing_can_be_written(nursery: Nursery, tmp_path: Path, figure: Callable[..., None]) -> None:
    for results in ("/proc/results", "/dev/null/results"):
        child = nursery.mmrl(tmp_path, "train", *TINY, "-ne", "3", "--results", results)
        assert child.wait() == 1 and results.split("/results")[0] in child.text(), child.text()
        assert len(child.text().strip().splitlines()) == 1
    figure(21, "results folder that cannot be written: exit 1, one line naming it", "2/2", "2/2")


@pytest.mark.nightly
def test_a_bare_environment(tmp_path: Path, figure: Callable[..., None]) -> None:
    import subprocess
    import sys

    command = [sys.executable, "-m", "cli", "train", *TINY, "-ne", "3", "--results", str(tmp_path)]
    cache = {"NUMBA_CACHE_DIR": os.environ["NUMBA_CACHE_DIR"]} if "NUMBA_CACHE_DIR" in os.environ else {}
    for environment in ({"LANG": "C"}, {"LC_ALL": "POSIX", "TERM": "dumb"}):
        done = subprocess.run(
            command, env={**environment, **cache}, cwd=Path(__file__).parents[2], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    figure(21, "without HOME, PATH, terminal, in the C locale: exit 0", "2/2", "2/2")
