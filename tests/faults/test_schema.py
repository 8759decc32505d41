"""Runs of every version are read; those of the future and settings that nobody knows are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from mmrl.runs import listing
from mmrl.runs.history import read_metrics
from mmrl.runs.manifest import SCHEMA, sound_manifest, write_manifest
from tests.faults.harness import ROOT, Child, Nursery

VERSIONS = sorted((ROOT / "tests" / "data" / "runs").glob("v*"))


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.name)
def test_runs_of_every_version(nursery: Nursery, tmp_path: Path, figure: Callable[..., None], version: Path) -> None:
    shutil.copytree(version, tmp_path / "run")
    rows = read_metrics(version / "metrics.jsonl")
    assert listing.find_run("run", tmp_path).state == "finished" and len(rows) == rows[-1]["epoch"] > 1
    for command in (["runs", "doctor", "run"], ["plot", "run"], ["train", "--load", "run", "--expand", "1"]):
        child = nursery.mmrl(tmp_path, *command, "--results", str(tmp_path))
        assert child.wait() == 0, child.text()
    [name] = [info.name for info in listing.find_runs(tmp_path)]
    after = read_metrics(tmp_path / name / "metrics.jsonl")
    assert after[:-1] == rows and after[-1]["epoch"] == len(rows) + 1
    figure(18, f"run of schema {version.name}: verified, drawn, gone on with", "yes", "yes")


def test_every_version_has_a_fixture() -> None:
    assert [version.name for version in VERSIONS] == [f"v{k}" for k in range(1, SCHEMA + 1)]


def of_the_future(nursery: Nursery, place: Path, mutant: str = "") -> Child:
    folder = Path(shutil.copytree(VERSIONS[-1], place / "run"))
    write_manifest(folder, {**sound_manifest(folder)[0], "schema": 99})
    (folder / "manifest.previous.json").unlink()  # what came before it was of this version
    child = nursery.mmrl(place, "train", "--load", "run", "--expand", "1", "--results", str(place), mutant=mutant)
    child.wait()
    return child


def of_unknown_keys(nursery: Nursery, place: Path, mutant: str = "") -> Child:
    folder = Path(shutil.copytree(VERSIONS[-1], place / "run"))
    text = (folder / "config.toml").read_text().split("\n", 1)[1].rsplit("# sha256", 1)[0]
    (folder / "config.toml").write_text(text.replace("[market]\n", "[market]\nunheard_of = 1\n"))
    child = nursery.mmrl(place, "train", "--load", "run", "--results", str(place), mutant=mutant)
    child.wait()
    return child


def test_runs_of_the_future_and_unknown_keys(nursery: Nursery, tmp_path: Path, figure: Callable[..., None]) -> None:
    child = of_the_future(nursery, tmp_path / "future")
    assert child.code == 1 and "schema 99" in child.text() and f"up to {SCHEMA}" in child.text(), child.text()
    child = of_unknown_keys(nursery, tmp_path / "unknown")
    assert child.code == 2 and "unheard_of" in child.text(), child.text()
    figure(18, "a run of the future, an unknown key: refused, both versions or the key named", "2/2", "2/2")


@pytest.mark.nightly
def test_any_schema_and_any_key_are_caught(nursery: Nursery, tmp_path: Path, caught: Callable[..., None]) -> None:
    assert of_the_future(nursery, tmp_path / "mutant", "any_schema").code == 0
    caught(18, "schema not compared: the run of the future was gone on with")
    assert of_unknown_keys(nursery, tmp_path / "dropped", "unknown_keys_dropped").code == 0
    caught(18, "unknown settings passed over: the run was gone on with")
