"""Groups of runs: which seeds a text names, which group a training goes on with, and what it is over its seeds."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from mmrl.runs import config_file, group_plan, groups, listing, store
from mmrl.runs.lock import RunBusy, RunLock
from mmrl.runs.names import BadRunName
from mmrl.runs.over_seeds import over_seeds
from mmrl.runs.status import write_status
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config
from mmrl.settings.sources import replaced


@pytest.mark.parametrize(
    ("text", "seeds"), [("0-4", (0, 1, 2, 3, 4)), ("0,3,7", (0, 3, 7)), ("5", (5,)), ("7, 1-2", (1, 2, 7))]
)
def test_seeds(text: str, seeds: tuple[int, ...]) -> None:
    assert group_plan.seeds_of(text) == seeds


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "such as 0-4"), ("a", "such as 0-4"), ("1-", "such as 0-4"), ("-1", "such as 0-4"), ("1,,2", "0-4"),
        ("٣", "such as 0-4"), ("4-1", "write 1-4"), ("0-1000", "at most 1000"), (f"{2**63}", "2^63"),
        ("0-9999999999999", "at most 1000"), ("0-600,601-1200", "at most 1000"),
        ("0,0", "0 is given twice"), ("7,1-3,2-9", "2 is given twice"),
    ],
)  # fmt: skip
def test_what_names_no_seeds(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=r"--seeds") as error:
        group_plan.seeds_of(text)
    assert words in str(error.value)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return replaced(Config(), {"run.results": str(tmp_path / "results")})


def begun(config: Config, seeds: tuple[int, ...]) -> dict[int, Path]:
    found = group_plan.begin(group_plan.plan(config, seeds, threads=3), {}, None)
    return {run.seed: run.folder for run in found if run.folder}


def test_a_group_goes_on_by_the_same_command_until_all_its_seeds_are_done(config: Config) -> None:
    folders = begun(config, (0, 2))
    [first] = {info.group for info in listing.find_runs(config.run.results)}
    assert {seed: folder.name for seed, folder in folders.items()} == {0: f"{first}-seed0", 2: f"{first}-seed2"}
    stored = config_file.read_config(folders[2]).config
    assert (stored.run.seed, stored.run.threads) == (2, 3)
    assert listing.describe(folders[2]).state == "interrupted"  # not "crashed": it waits
    write_status(folders[0], "finished")
    plan = group_plan.plan(config, (0, 2, 5), threads=8)  # a seed more, on a machine with more cores
    assert (plan.group, plan.config.run.threads) == (first, 3)
    assert [(run.seed, run.folder) for run in plan.runs] == [(2, folders[2]), (5, None)]
    assert [info.seed for info in plan.done] == [0]
    write_status(folders[2], "diverged")
    again = group_plan.plan(config, (0, 2), threads=1)
    assert (again.group, again.done) == (f"{first}_1", [])
    assert group_plan.plan(replaced(config, {"training.lr": 0.5}), (0,), threads=1).group == f"{first}_1"
    assert group_plan.plan(replaced(config, {"run.threads": 3}), (5,), threads=1).group == first
    assert group_plan.plan(replaced(config, {"run.threads": 1}), (5,), threads=1).group != first


def test_a_named_group_is_that_one_or_refused(config: Config) -> None:
    named = replaced(config, {"run.name": "five"})
    folders = begun(named, (0, 1))
    assert group_plan.plan(named, (0, 1), 1).group == "five"
    with pytest.raises(ConfigError, match="'five': the group five has other settings"):
        group_plan.plan(replaced(named, {"training.lr": 0.5}), (0,), 1)
    for folder in folders.values():
        write_status(folder, "finished")
    with pytest.raises(ConfigError, match="has trained all of these seeds"):
        group_plan.plan(named, (0, 1), 1)
    with pytest.raises(ConfigError, match="FIVE-seed0 is taken"):
        group_plan.plan(replaced(config, {"run.name": "FIVE"}), (0,), 1)
    with pytest.raises(BadRunName, match=r"group name '\.\./five'"):
        group_plan.plan(replaced(config, {"run.name": "../five"}), (0,), 1)
    with pytest.raises(BadRunName):
        group_plan.plan(replaced(config, {"run.name": "n" * 124}), (10,), 1)  # -seed10 would be too long


def test_a_group_in_training_is_left_alone(config: Config) -> None:
    folders = begun(config, (0, 1))
    write_status(folders[1], "running")
    with RunLock(folders[1]), pytest.raises(RunBusy, match="seed1 of this group is being trained"):
        group_plan.plan(config, (0, 1), 1)
    assert group_plan.plan(config, (0, 1), 1).runs[1].folder == folders[1]  # its process is gone


def test_a_run_of_a_group_is_not_resumed_as_one_of_its_own(config: Config) -> None:
    folder = begun(replaced(config, {"run.threads": 1}), (0,))[0]
    assert store.matching(replaced(config, {"run.threads": 1})) is None
    alone = store.create(replaced(config, {"run.threads": 1}), {})
    write_status(alone, "interrupted")
    assert store.matching(replaced(config, {"run.threads": 1})) == alone != folder


def test_members_are_found_by_the_name_of_their_group_unless_a_run_has_it(config: Config) -> None:
    begun(replaced(config, {"run.name": "five"}), (10, 2))
    store.create(replaced(config, {"run.name": "alone"}), {})
    root = config.run.results
    assert [info.seed for info in groups.members("five", root)] == [2, 10]
    assert groups.members("alone", root) == groups.members("fiv", root) == groups.members("../x", root) == []
    assert [[info.name for info in row] for row in groups.folded(listing.find_runs(root))] == [
        ["alone"], ["five-seed10", "five-seed2"]
    ]  # fmt: skip
    store.create(replaced(config, {"run.name": "five"}), {})
    assert groups.members("five", root) == []


def test_epochs_over_seeds_by_hand() -> None:
    """Values 1, 3 of epoch 1: mean 2, half 12.7062 * sqrt 2 / sqrt 2. Only one run has reached epoch 2."""
    first = {"epoch": 1, "value_mean": 1.0, "value_half": 9.0, "value_std": 5.0, "trajectories": 100, "optimality": 0.5}
    second = {**first, "value_mean": 3.0, "optimality": None, "event": {"lr": 1.0}, "kl": True}
    merged = over_seeds([[first], [second, {"epoch": 2, "value_mean": 7.0}], []])
    assert merged == [
        {"epoch": 1, "value_mean": 2.0, "value_half": pytest.approx(12.7062), "optimality": 0.5},
        {"epoch": 2, "value_mean": 7.0},
    ]
    assert over_seeds([[{"epoch": 1, "value_mean": math.nan}]]) == [{"epoch": 1}]


def test_a_seed_that_is_added_gets_what_its_group_was_given_while_it_trained(tmp_path: Path) -> None:
    config = replaced(Config(), {"run.results": str(tmp_path), "run.name": "g"})
    first = group_plan.begin(group_plan.plan(config, (1,), 1), {"training.ne": "flag"}, None)[0].folder
    assert first is not None
    stored = config_file.read_config(first)
    origins = {**stored.origins, "training.ne": "live edit, epoch 3"}
    config_file.write_config(first, replaced(stored.config, {"training.ne": 7}), origins, stored.meta)
    plan = group_plan.plan(config, (0, 1), 1)
    assert config_file.in_words(plan.config, plan.edited) == "training.ne = 7"
    for run in group_plan.begin(plan, {"training.ne": "flag"}, None):
        assert run.folder is not None and config_file.read_config(run.folder).config.training.ne == 7
    again = group_plan.plan(config, (0, 1), 1)  # the first run of the group is now the new one
    assert again.edited == ("training.ne",) and again.config.training.ne == 7
