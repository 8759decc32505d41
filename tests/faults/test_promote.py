"""Shipped runs: what `mmrl runs promote` copies is whole and without bulk, and `mmrl plot --good-results` draws it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

from mmrl.runs.doctor import examine
from mmrl.runs.manifest import entries_of, files_of, read_manifest
from tests.faults.harness import TINY, Nursery, records


def promoted(nursery: Nursery, good: Path, place: Path, mutant: str = "") -> int:
    shutil.copytree(good, place / "results" / "run")
    (place / "results" / "run" / "log.txt").write_text("what it printed")
    words = ["runs", "promote", "run", "--results", str(place / "results")]
    return nursery.mmrl(place, *words, mutant=mutant).wait()


def test_promoted_runs_are_whole(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None], caught: Callable[..., None], complete: bool
) -> None:
    made = tmp_path / "made"
    child = nursery.mmrl(tmp_path, "train", *TINY, "-ne", "6", "-pa", "3", "--results", str(made), "--name", "run")
    assert child.wait() == 0, child.text()
    assert promoted(nursery, made / "run", tmp_path) == 0
    run, copy = tmp_path / "results" / "run", tmp_path / "good-results" / "run"
    manifest = read_manifest(copy)
    entries, best = entries_of(manifest), read_manifest(run)["best_epoch"]
    assert {entry["epoch"] for entry in entries} == {6, best} and manifest["best_epoch"] == best
    for entry in entries:
        assert files_of(copy, entry) == files_of(run, entry)
    names = {str(path.relative_to(copy)) for path in copy.rglob("*") if path.is_file()}
    expected = {"config.toml", "manifest.json", "metrics.jsonl", "status.json"}
    expected |= {f"episodes/{epoch:06d}.npz" for epoch in (3, 6)}
    expected |= {f"checkpoints/{epoch:06d}.{kind}" for epoch in (6, best) for kind in ("json", "safetensors")}
    assert names == expected
    status = json.loads((copy / "status.json").read_text())
    assert "pid" not in status and "host" not in status and status["state"] == "finished"
    assert records(copy) == records(run) and not examine(shutil.copytree(copy, tmp_path / "examined"))
    child = nursery.mmrl(tmp_path, "train", "--load", "run", "--expand", "1", "--results", str(copy.parent))
    assert child.wait() == 0, child.text()  # what was shipped can be gone on with
    figure(13, "promoted: last and best checkpoint, metrics, episodes, settings; every checksum; goes on", "yes", "yes")
    if complete:
        assert promoted(nursery, made / "run", tmp_path / "mutant", "half_promoted") == 1
        assert not list((tmp_path / "mutant" / "good-results").iterdir())
        caught(13, "a promoted copy that loses its last bytes: refused, nothing is left of it")


def test_a_damaged_run_is_not_promoted_and_the_reason_said_in_one_line(
    nursery: Nursery, good: Path, tmp_path: Path
) -> None:
    run = Path(shutil.copytree(good, tmp_path / "results" / "run"))
    newest = max((run / "checkpoints").glob("*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-1])
    child = nursery.mmrl(tmp_path, "runs", "promote", "run", "--results", str(run.parent))
    assert child.wait() == 1
    [line] = child.text().splitlines()
    assert newest.name in line and "SHA-256" in line and line.endswith("resume the run first")
    assert not list((tmp_path / "good-results").iterdir())


def test_every_shipped_run_is_drawn_again(
    nursery: Nursery, good: Path, tmp_path: Path, figure: Callable[..., None]
) -> None:
    names = ("first", "second", "third")
    for name in names:
        shutil.copytree(good, tmp_path / "good-results" / name)
    for what in ("training", "episode", "book"):
        words = ["plot", "--good-results", "--what", what, "--width", "100", "--height", "40"]
        child = nursery.mmrl(tmp_path, *words, cwd=str(tmp_path))
        assert child.wait() == 0, child.text()
        assert all(name in child.text() for name in names), child.text()
    child = nursery.mmrl(tmp_path, "train", "--plot", "--good-results", cwd=str(tmp_path))
    assert child.wait() == 0 and all(name in child.text() for name in names), child.text()
    figure(18, "mmrl plot --good-results: shipped runs drawn again as training, episode, book", "3/3", "3/3")
