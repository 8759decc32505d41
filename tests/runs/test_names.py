"""Names of runs: hostile ones are refused, never rewritten, and nothing leads out of the root."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmrl.markets.book.settings import Settings
from mmrl.runs.names import BadRunName, free_name, generated_name, namesake, run_folder, valid_name
from mmrl.settings.groups import Policy, Reward, Training
from mmrl.settings.model import Config

HOSTILE = [
    "", ".", "..", "../x", "a/../../b", "/etc/x", "a\n", "a\0b", "a" * 129, "-rf", "~root", "é", "٣",
    "a\u200f", "a.", "a..b", "a\\b", "a b", ".hidden", "_x", "[red]x", "\x1b[31mx", "%2e%2e", "$HOME",
    "CON", "nul", "Aux.txt", "com1", "LPT9.a.b", "a...",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(tmp_path: Path, name: str) -> None:
    assert not valid_name(name)
    with pytest.raises(BadRunName, match="letters, digits"):
        run_folder(tmp_path, name)
    assert list(tmp_path.iterdir()) == []


@given(st.text(max_size=140))
def test_an_accepted_name_is_one_plain_component(name: str) -> None:
    if valid_name(name):
        assert name.isascii() and "/" not in name and name not in (".", "..")
        assert run_folder("/nowhere", name) == Path("/nowhere") / name


@pytest.mark.parametrize(
    "name", ["a", "0", "MC_400-100-4950_gaus-ppo-clip-norm-adv_W-I-T", "a" * 128, "console", "nul-1", "com"]
)
def test_plain_names_are_kept_as_they_are(tmp_path: Path, name: str) -> None:
    assert run_folder(tmp_path, name) == tmp_path.resolve() / name


def test_a_link_in_the_root_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "run").symlink_to(tmp_path / "outside")
    with pytest.raises(BadRunName, match="link"):
        run_folder(tmp_path / "root", "run")


def test_generated_name_of_the_lineage() -> None:
    config = Config(
        market=Settings(nt=4950),
        reward=Reward(add_inventory=True, add_time=True),
        training=Training(ne=400),
    )
    assert generated_name(config) == "MC_400-100-4950_gaus-ppo-clip-norm-adv_W-I-T"


@given(
    st.sampled_from(["gaussian", "categorical"]),
    st.sampled_from(["ppo", "reinforce"]),
    st.sampled_from(["wealth", "pnl", "none"]),
    st.floats(0, 1),
    st.booleans(),
)
def test_generated_names_are_valid(kind: str, algorithm: str, reward: str, lambd: float, td: bool) -> None:
    config = Config(
        policy=Policy.model_validate({"kind": kind}),
        reward=Reward.model_validate({"immediate": reward}),
        training=Training.model_validate({"algorithm": algorithm, "lambd": lambd, "td": td}),
    )
    assert valid_name(generated_name(config))


def test_taken_names_get_the_first_free_suffix(tmp_path: Path) -> None:
    assert free_name(tmp_path, "run") == "run"
    (tmp_path / "run").mkdir()
    (tmp_path / "run_1").mkdir()
    assert free_name(tmp_path, "run") == "run_2"


def test_names_that_differ_only_by_case_are_one(tmp_path: Path) -> None:
    assert namesake(tmp_path / "nowhere", "run") == ""
    (tmp_path / "Run").mkdir()
    assert namesake(tmp_path, "rUN") == "Run" and namesake(tmp_path, "rUN", but="Run") == ""
    assert free_name(tmp_path, "RUN") == "RUN_1"
