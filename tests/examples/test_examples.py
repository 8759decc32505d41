"""Every script of examples/ runs, with few epochs, and says what it should."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.toy.register import environment, install_toy

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
ARGUMENTS = {
    "evaluate": ("200",),
    "gymnasium_loop": (),
    "own_market": ("1",),
    "policy_in_a_loop": (),
    "runs": (),
    "seeds": ("2", "2"),
    "simulate": ("200",),
    "stable_baselines": ("10000",),
    "train": ("2",),
}
SAYS = {
    "evaluate": r"avellaneda-stoikov-ppo: 99\.\d\d % of the optimum",
    "gymnasium_loop": r"1000 episodes: mean wealth [3-7]\d\.\d\d",
    "own_market": r"toy shows inventory, .*epoch 1: mean value",
    "policy_in_a_loop": r"wealth \d\d\.\d\d with -?\d+ shares left",
    "runs": r"quickstart: book, finished, epoch 200 of 200\n"
    r"avellaneda-stoikov-ppo is at 99\.\d\d % of the optimum and quotes Quotes\(bid_distance=",
    "seeds": r"seed 1: \d\d\.\d\d % of the optimum\s+mean",
    "simulate": r"200 trajectories of 200 steps: mean wealth [56]\d\..*"
    r"3 shares sold, 1 bought: the maker holds 1 .*best bid \(\d+, 4\), best ask \(\d+, 1\)",
    "stable_baselines": r"stable-baselines3: 5\d\.\d\d % of the optimum untrained, [5-9]\d\.\d\d % trained",
    "train": r"epoch 2: mean value .*Quotes\(bid_distance=",
}
NEEDS = {"gymnasium_loop": "gymnasium", "stable_baselines": "stable_baselines3"}


def test_every_example_is_run() -> None:
    assert sorted(ARGUMENTS) == sorted(SAYS) == sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.nightly] * (n == "own_market")) for n in ARGUMENTS]
)
def test_it_runs(name: str, tmp_path: Path) -> None:
    if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"{NEEDS[name]} is not installed")
    (tmp_path / "good-results").symlink_to(ROOT / "good-results")
    script = shutil.copy(EXAMPLES / f"{name}.py", tmp_path)
    site = tmp_path / "site"
    if name == "own_market":
        install_toy(site)
    done = subprocess.run(
        [sys.executable, "-W", "error", script, *ARGUMENTS[name]],
        cwd=tmp_path, env=environment(site), capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(SAYS[name], done.stdout, re.DOTALL), done.stdout
