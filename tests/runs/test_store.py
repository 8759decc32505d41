"""Folders of runs: made, found, listed, matched, expanded, renamed, promoted and trashed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmrl.runs import config_file, listing, seal, store
from mmrl.runs.checksum import with_checksum
from mmrl.runs.history import History
from mmrl.runs.lock import RunBusy, RunLock
from mmrl.runs.manifest import SCHEMA, FutureRun, read_manifest
from mmrl.runs.names import BadRunName
from mmrl.runs.promote import promote
from mmrl.runs.status import write_status
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config
from mmrl.settings.sources import replaced, resolve


def config_in(root: Path, **changes: object) -> Config:
    return replaced(Config(), {"run.results": str(root / "results"), **changes})


def test_settings_origins_and_a_new_id_come_back(tmp_path: Path) -> None:
    config = config_in(tmp_path, lr=0.5, seed=2**63 - 1)
    first = store.create(config, {"training.lr": "flag"})
    second = store.create(config, {})
    assert second.name == f"{first.name}_1"
    stored = config_file.read_config(first)
    assert stored.config == config and stored.origins == {"training.lr": "flag"}
    assert len(stored.meta["id"]) == 32 and stored.meta["id"] != config_file.read_config(second).meta["id"]


def test_a_run_names_its_schema_before_its_first_epoch(tmp_path: Path) -> None:
    folder = store.create(replaced(Config(), {"run.results": str(tmp_path)}), {})
    assert read_manifest(folder)["schema"] == SCHEMA
    (folder / "manifest.json").write_bytes(with_checksum({"schema": SCHEMA + 1, "checkpoints": []}))
    with pytest.raises(FutureRun, match=f"schema {SCHEMA + 1}, this version of mmrl reads up to {SCHEMA}"):
        read_manifest(folder)


def test_a_given_name_must_be_free_and_valid_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(BadRunName):
        store.create(config_in(tmp_path, name="../x"), {})
    assert not (tmp_path / "results").exists()
    store.create(config_in(tmp_path, name="mine"), {})
    with pytest.raises(ConfigError, match="--load mine"):
        store.create(config_in(tmp_path, name="mine"), {})


def test_what_a_list_shows(tmp_path: Path) -> None:
    folder = store.create(config_in(tmp_path, ne=9, name="mine"), {})
    with RunLock(folder):
        write_status(folder, "running", target=9)
        History(folder / "metrics.jsonl").append({"epoch": 4, "value_mean": 1.5, "value_half": 0.5})
        (info,) = listing.find_runs(tmp_path / "results")
        assert (info.name, info.state, info.epoch, info.target) == ("mine", "running", 4, 9)
        assert (info.value_mean, info.value_half, info.market, info.algorithm) == (1.5, 0.5, "book", "ppo")
    assert listing.find_run("mine", tmp_path / "results").state == "crashed"
    assert listing.find_run(str(folder), "elsewhere").id == info.id
    with pytest.raises(listing.RunNotFound):
        listing.find_run("other", tmp_path / "results")
    with pytest.raises(BadRunName):
        listing.find_run("..", tmp_path / "results")


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("status.json", '{"state": ["running"], "target": "many", "started": "x", "updated": 1e300}'),
        ("status.json", '{"state": "\\u001b[31mred", "target": -1e999}'),
        ("metrics.jsonl", '{"epoch": "x", "value_mean": "y", "steps_per_second": []}\n'),
        ("metrics.jsonl", '{"epoch": NaN, "value_mean": Infinity}\n'),
        ("config.toml", "x = " + "[" * 5000),
        ("config.toml", "\0"),
        ("config.toml", "[market]\nname = 7\n"),
    ],
)
def test_one_broken_run_does_not_hide_the_others(tmp_path: Path, file: str, text: str) -> None:
    from mmrl.commands.runs_table import list_runs

    bad = store.create(config_in(tmp_path, name="bad"), {})
    store.create(config_in(tmp_path, name="good"), {})
    (bad / file).write_text(text)
    runs = listing.find_runs(tmp_path / "results")
    assert [info.name for info in runs] == ["bad", "good"]
    assert "\x1b" not in runs[0].state
    for as_json in (True, False):
        list_runs(str(tmp_path / "results"), as_json)


def test_an_unfinished_run_of_equal_settings_is_found(tmp_path: Path) -> None:
    config = config_in(tmp_path, ne=9)
    folder = store.create(config, {})
    write_status(folder, "finished")
    assert store.matching(config) is None
    for state in ("interrupted", "running"):  # the latter without a trainer: crashed
        write_status(folder, state)
        assert store.matching(config) == folder
    for other in ({"ne": 10}, {"lr": 0.5}, {"seed": 1}, {"name": "other"}):
        assert store.matching(replaced(config, other)) is None
    with RunLock(folder):
        assert store.matching(config) is None


def test_expanding_raises_the_target_and_a_generated_name_follows(tmp_path: Path) -> None:
    folder = store.create(config_in(tmp_path, ne=9), {"training.ne": "flag"})
    before = config_file.read_config(folder)
    target = store.expanded(folder, 3)
    after = config_file.read_config(target)
    assert not folder.exists() and target.name == folder.name.replace("_9-", "_12-")
    assert after.config.training.ne == 12 and (after.meta, after.origins) == (before.meta, before.origins)


@pytest.mark.parametrize("suffix", ["-mine", "_mine", "2"])
def test_expanding_leaves_a_chosen_name_alone(tmp_path: Path, suffix: str) -> None:
    generated = store.create(config_in(tmp_path, ne=9), {})
    named = store.rename(generated, generated.name + suffix)
    assert store.expanded(named, 3) == named
    assert config_file.read_config(named).config.training.ne == 12


def test_a_running_run_is_left_where_it_is(tmp_path: Path) -> None:
    folder = store.create(config_in(tmp_path, name="mine"), {})
    with RunLock(folder):
        for act in (store.trash, promote, lambda f: store.rename(f, "x"), lambda f: store.expanded(f, 1)):
            with pytest.raises(RunBusy):
                act(folder)
    assert config_file.read_config(folder).config.training.ne == Config().training.ne


def test_rename_promote_and_trash(tmp_path: Path) -> None:
    folder = store.create(config_in(tmp_path, name="mine"), {})
    store.create(config_in(tmp_path, name="taken"), {})
    with pytest.raises(ConfigError, match="taken"):
        store.rename(folder, "taken")
    with pytest.raises(BadRunName):
        store.rename(folder, "../out")
    with pytest.raises(ConfigError, match="by taken"):
        store.rename(folder, "TAKEN")
    with pytest.raises(ConfigError, match="--load taken"):
        store.create(config_in(tmp_path, name="Taken"), {})
    folder = store.rename(store.rename(folder, "Mine"), "new")
    (folder / "lock").write_text("{}")
    promoted = promote(folder)
    assert promoted == tmp_path.resolve() / "good-results" / "new"
    assert sorted(p.name for p in promoted.iterdir()) == ["config.toml"]
    with pytest.raises(ConfigError):
        promote(folder)
    assert [p.name for p in (tmp_path / "good-results").iterdir()] == ["new"]
    store.trash(folder)
    assert [info.name for info in listing.find_runs(tmp_path / "results")] == ["taken"]


def test_looking_at_runs_loads_neither_torch_nor_numba() -> None:
    code = (
        "import sys, json, mmrl.runs.store, mmrl.runs.control, mmrl.runs.history, mmrl.runs.manifest\n"
        "print(json.dumps([m for m in ('torch', 'numba', 'matplotlib') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


def test_the_settings_of_its_beginning_find_a_run_that_was_changed_while_it_trained(tmp_path: Path) -> None:
    given = {"run.results": str(tmp_path), "run.seed": 3, "training.ne": 50, "training.lr": 0.003}
    config, origins = resolve(given)
    folder = store.create(config, origins)
    write_status(folder, "interrupted")
    edited = replaced(config, {"training.ne": 20, "training.lr": 0.01})
    config_file.write_config(folder, edited, {**origins, "training.ne": "live edit, epoch 7"}, {"id": "x"})
    assert store.matching(config) is None  # the learning rate differs, and nobody changed it in training
    origins |= dict.fromkeys(("training.ne", "training.lr"), "live edit, epoch 7")
    config_file.write_config(folder, edited, origins, {"id": "x"})
    assert store.matching(config) == folder and store.matching(replaced(config, {"training.nb": 7})) is None
    kept = config_file.kept_edits(config_file.read_config(folder), config)
    assert (kept.training.ne, kept.training.lr, kept.run.seed) == (20, 0.01, 3)


@pytest.mark.parametrize(
    "change",
    [
        lambda data: b"",
        lambda data: bytes(len(data)),
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"seed = 0", b"seed = 1"),
        lambda data: seal.seal(data[len(seal.NOTE) : data.rindex(b"# sha256")].replace(b"seed = 0", b"seed = true")),
        lambda data: seal.seal(data[len(seal.NOTE) : data.rindex(b"# sha256")].replace(b"[market]", b"[[market]]")),
        lambda data: seal.seal(b"[" * 10_000),
    ],
)
def test_a_finished_run_without_sound_settings_is_listed_as_broken(change: Any, tmp_path: Path) -> None:
    folder = store.create(config_in(tmp_path, name="a"), {})
    write_status(folder, "finished", target=3)
    assert listing.describe(folder).state == "finished" and listing.describe(folder).lr == 0.003
    path = folder / "config.toml"
    path.write_bytes(change(path.read_bytes()))
    found = listing.describe(folder)
    assert (found.state, found.market, found.seed) == ("broken", "", None)
