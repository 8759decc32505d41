"""The command line as a user meets it: real processes, exit codes, one-line errors."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmrl.settings.fields import fields

ROOT = Path(__file__).resolve().parents[2]
LINEAGE: dict[str, dict[str, Any]] = {
    "-nt 4950 -nb 100 -ne 400 --add-inventory --add-time --plot-after 10 --book-size 5000 --update-freq 10": {
        "market.nt": 4950,
        "training.nb": 100,
        "training.ne": 400,
        "reward.add_inventory": True,
        "reward.add_time": True,
        "run.plot_after": 10,
        "market.book_size": 5000,
        "training.update_freq": 10,
    },
    "-nt 5000 -nb 100 -ne 400 -lr 0.01 -pa 5 -af -ni": {
        "market.nt": 5000,
        "training.lr": 0.01,
        "run.plot_after": 5,
        "reward.always_final": True,
        "reward.immediate": "none",
    },
    "-nt 4910 -nb 100 -ne 400 -td --add-inventory --add-time --plot-after 10 --book-size 1000": {
        "market.nt": 4910,
        "training.td": True,
        "market.book_size": 1000,
    },
    "--nt 10000 --nb 100 -ne 1000 --noclip": {
        "market.nt": 10000,
        "training.nb": 100,
        "training.ne": 1000,
        "training.noclip": True,
    },
    "-np -nc -na -u -no 2 -bs 100 -at -ai --seed 7": {
        "training.algorithm": "reinforce",
        "training.noclip": True,
        "training.noadv": True,
        "market.uniform": True,
        "market.n_obs": 2,
        "market.book_size": 100,
        "reward.add_time": True,
        "reward.add_inventory": True,
        "run.seed": 7,
    },
    "--market avellaneda-stoikov --layers 1 --layer-size 8 --td --lambd 0.5 --discount 0.9 --set sigma=3": {
        "market.name": "avellaneda-stoikov",
        "policy.layers": 1,
        "policy.layer_size": 8,
        "training.lambd": 0.5,
        "reward.discount": 0.9,
        "market.sigma": 3.0,
    },
}


def mmrl(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("MMRL_")}
    return subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), *arguments],
        cwd=cwd,
        env={**clean, "NO_COLOR": "1", "COLUMNS": "200", "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("line", LINEAGE)
def test_command_lines_of_the_lineage_parse(line: str, tmp_path: Path) -> None:
    done = mmrl("train", *line.split(), "--dry-run", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    config = json.loads(done.stdout)["config"]
    assert {key: config[key] for key in LINEAGE[line]} == LINEAGE[line]
    assert list(tmp_path.iterdir()) == []


def test_help_lists_every_setting_with_default_and_bounds(tmp_path: Path) -> None:
    done = mmrl("train", "--help-all", cwd=tmp_path)
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    text = " ".join(done.stdout.split())
    for spec in fields():
        assert all(flag in text for flag in (*spec.flags, *spec.switches)), spec.key
        default = "off" if spec.kind == "bool" else spec.shown_default
        assert re.search(rf"\((one of [^;()]*; )?default: {re.escape(default)}", text), spec.key
        assert spec.range in text, spec.key
    assert all(panel in text for panel in ("Market", "Reward", "Policy", "Training", "Run"))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-nt 0", "market.nt = 0"),
        ("-nt many", "market.nt = 'many'"),
        ("-lr 2", "<= 1"),
        ("--layerz 3", "--layers"),
        ("--market bok", "one of book, avellaneda-stoikov"),
        ("--preset linage", "did you mean 'lineage'"),
        ("--config none.toml", "none.toml"),
        ("--set lrr=1", "did you mean 'lr'"),
        ("-td -na", "--noadv"),
        ("-np --set algorithm=ppo", "contradicts"),
        ("--expand 3", "--load"),
        ("--expand 0 --load x", "--expand = '0' is not allowed: it must be a whole number >= 1"),
        ("--load x --expand=many", "--expand = 'many' is not allowed: it must be a whole number >= 1"),
        ("extra", "extra"),
    ],
)
def test_bad_values_are_refused_before_anything_is_created(line: str, words: str, tmp_path: Path) -> None:
    done = mmrl("train", *line.split(), cwd=tmp_path)
    assert done.returncode == 2, (done.stdout, done.stderr)
    assert words in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_bad_variable_is_refused_and_a_good_one_used(tmp_path: Path) -> None:
    done = mmrl("train", "--dry-run", cwd=tmp_path, MMRL_NB="0")
    assert done.returncode == 2
    assert "environment MMRL_NB: training.nb = 0" in done.stderr
    done = mmrl("train", "--dry-run", "--json", cwd=tmp_path, MMRL_NB="12")
    assert json.loads(done.stdout)["config"]["training.nb"] == 12
    assert json.loads(done.stdout)["origins"] == {"training.nb": "environment MMRL_NB"}


def test_an_unknown_command_is_named(tmp_path: Path) -> None:
    done = mmrl("trian", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "train" in done.stderr


def test_a_dry_run_prints_a_file_that_config_takes(tmp_path: Path) -> None:
    done = mmrl("train", "--dry-run", "-nt", "77", "--preset", "lineage", cwd=tmp_path)
    (tmp_path / "my.toml").write_text(done.stdout)
    again = mmrl("train", "--dry-run", "--json", "--config", "my.toml", cwd=tmp_path)
    config = json.loads(again.stdout)["config"]
    assert (config["market.nt"], config["market.owner"]) == (77, "maker")


@pytest.mark.parametrize("line", ["--help", "train --help", "runs --help", "runs list --json", "train --dry-run"])
def test_heavy_modules_stay_out(line: str, tmp_path: Path) -> None:
    script = (
        "import sys, runpy\n"
        "sys.argv = ['mmrl'] + sys.argv[1:]\n"
        "import cli\n"
        "try:\n    cli.main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "heavy = {'torch', 'numba', 'numpy', 'textual', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *line.split()],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", ["--help", "train --help", "simulate --help", "runs --help", "runs stop --help"])
def test_help_is_the_same_without_docstrings(line: str, tmp_path: Path) -> None:
    usual, bare = mmrl(*line.split(), cwd=tmp_path), mmrl(*line.split(), cwd=tmp_path, PYTHONOPTIMIZE="2")
    assert usual.returncode == bare.returncode == 0
    assert usual.stdout == bare.stdout


@pytest.mark.parametrize("line", ["train --dry-run", "runs list", "plot nothing", "train --nothing"])
def test_warnings_may_be_errors(line: str, tmp_path: Path) -> None:
    done = mmrl(*line.split(), cwd=tmp_path, PYTHONWARNINGS="error")
    assert done.returncode in (0, 2, 3), done.stderr
    assert "Warning" not in done.stderr
