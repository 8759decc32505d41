"""The spec of a sweep: what it says, and one line for whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmrl.settings.errors import ConfigError
from mmrl.settings.sweep_file import Dimension, Sweep, read_sweep

SPEC = """
preset = "avellaneda-stoikov"
objective = "optimality"
trials = 7

[settings]
ne = 60

[search]
lr = { low = 1e-4, high = 0.1, log = true }
"training.minibatches" = { low = 2, high = 8, step = 2 }
noclip = [true, false]
entropy = [0, 0.5]
"""


def read(text: str, folder: Path, name: str = "spec.toml") -> Sweep:
    (folder / name).write_text(text)
    return read_sweep(str(folder / name), str(folder / "results"))


def test_a_spec(tmp_path: Path) -> None:
    spec = read(SPEC, tmp_path)
    assert (spec.name, spec.goal.metric, spec.goal.minimise, spec.goal.take) == ("spec", "optimality", False, "best")
    assert (spec.trials, spec.prune, spec.base.training.ne) == (7, True, 60)
    assert spec.base.run.results == str(tmp_path / "results")
    assert (spec.base.market.name, spec.origins["training.ne"]) == ("avellaneda-stoikov", "sweep")
    assert spec.origins["market.name"] == "preset avellaneda-stoikov"
    assert spec.search == (
        Dimension("training.lr", (), 1e-4, 0.1, None, True),
        Dimension("training.minibatches", (), 2, 8, 2, whole=True),
        Dimension("training.noclip", (True, False)),
        Dimension("training.entropy", (0.0, 0.5)),
    )
    config = spec.config({"training.lr": 0.02, "training.noclip": True})
    assert (config.training.lr, config.training.noclip, config.training.ne) == (0.02, True, 60)


def test_a_minus_minimises_and_a_noisy_metric_is_averaged(tmp_path: Path) -> None:
    spec = read(SPEC.replace('"optimality"', '"-value_loss"'), tmp_path)
    assert (spec.goal.metric, spec.goal.minimise, spec.goal.take) == ("value_loss", True, "tail")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("trials = 7", "trails = 7", "unknown key 'trails': there are"),
        ("trials = 7", "trials = 0", "trials = 0 is not allowed: it must be >= 1"),
        ("trials = 7", "trials = true", "trials = True is not allowed: it must be a whole number"),
        ("trials = 7", 'take = "first"', "take = 'first' is not allowed: it must be one of best, last, tail"),
        ("trials = 7", "prune = 1", "prune = 1 is not allowed: it must be true or false"),
        ('objective = "optimality"', "", 'it has no objective: add for example objective = "optimality"'),
        ('preset = "avellaneda-stoikov"', 'preset = "avelaneda"', "unknown preset 'avelaneda'"),
        ("ne = 60", "ne = 0", "training.ne = 0 is not allowed"),
        ("ne = 60", "nee = 60", "nee"),
        ("ne = 60", "lr = 0.1", "training.lr is given twice"),
        ("lr = {", "lrr = {", "lrr"),
        ("lr = { low = 1e-4,", "lr = { low = 0,", "search.lr: log = true needs low > 0"),
        ("lr = { low = 1e-4,", "lr = { low = 1,", "search.lr: low = 1 must be below high = 0.1"),
        ("high = 0.1, log", "high = 7, log", "training.lr = 7"),
        ("lr = { low = 1e-4, high = 0.1, log = true }", "lr = 0.1", "search.lr = 0.1 is not allowed: write {"),
        ("lr = { low = 1e-4, high = 0.1, log = true }", "lr = [0.1]", "search.lr = [0.1] is not allowed: list two"),
        ("low = 2, high = 8, step = 2", "low = 2.5, high = 8", "must be whole numbers"),
        ("low = 2, high = 8, step = 2", "low = 2, high = 8, step = 9", "step = 9 must be > 0 and at most high - low"),
        ("low = 2, high = 8, step = 2", "low = 2, high = 0x" + "f" * 5000, "a number of 20000 bits is not allowed"),
        ("low = 2, high = 8, step = 2", "low = 0x" + "f" * 5000 + ", high = 8", "low = a number of 20000 bits must be"),
        ("high = 0.1, log = true", "high = 0.1, step = 1e-300", "step = 1e-300 makes more than 1e+09 steps: drop it"),
        ("high = 0.1, log = true", "high = inf", "search.lr = inf is not allowed: it must be a number within 1e+300"),
        ("[true, false]", "{ low = 0, high = 1 }", "search.noclip: training.noclip is no number: list its choices"),
        ("noclip", "seed", "run.seed cannot be searched: set it in [settings], for all trials"),
        ("noclip = [true, false]", "threads = [1, 2]", "run.threads cannot be searched: set it in [settings]"),
        (
            "noclip = [true, false]",
            'name = ["a", "b"]',
            "run.name cannot be searched: trials have the name of the spec",
        ),
        (
            "noclip = [true, false]",
            'market = ["book", "order-flow"]',
            "market.name cannot be searched: set it in [sett",
        ),
        (
            "lr = { low = 1e-4, high = 0.1, log = true }",
            "lr = [1, 1.0]",
            "[1, 1.0] is not allowed: 1.0 is listed twice",
        ),
        ("[true, false]", "[true, false, true]", "search.noclip = [True, False, True] is not allowed: True is listed"),
        ("low = 2, high = 8, step = 2", "low = 2, high = 2", "low = 2 must be below high = 2"),
        (
            "high = 8, step = 2",
            "high = 8, step = 4",
            "high = 8 is no whole number of steps = 4 from low: write high = 6",
        ),
        ("low = 1e-4, high = 0.1, log = true", "low = 0.1, high = 0.75, step = 0.3", "write high = 0.7"),
        ("ne = 60", 'results = "x"', "settings.results = 'x' is not allowed: trials lie in the folder that --results"),
        ("ne = 60", '"run.name" = "x"', "settings.run.name = 'x' is not allowed: trials have the name of the spec"),
        ("ne = 60", 'ne = 60\n"training.ne" = 61', "settings.training.ne = 61: training.ne is given twice: keep one"),
        (
            "ne = 60",
            "td = false\nlambd = 0.9",
            "training.lambd = 0.9 has no effect: TD(lambda) returns are off: drop it",
        ),
        (
            "ne = 60\n\n[search]",
            "td = false\n[search]\nlambd = { low = 0.5, high = 1 }",
            "[search] training.lambd has no",
        ),
        (
            "ne = 60",
            'algorithm = "reinforce"',
            "[search] training.minibatches has no effect: the algorithm is reinforce",
        ),
        ('preset = "avellaneda-stoikov"', 'preset = ""', "unknown preset ''"),
        ('preset = "avellaneda-stoikov"', 'market_file = ""', "market_file = '' is not allowed: name a file"),
        ("[search]", "[searched]", "unknown key 'searched'"),
        ("[search]", "[[search]]", "search = [{"),
        ('preset = "avellaneda-stoikov"', 'preset = "', "is not valid TOML"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(old: str, new: str, words: str, tmp_path: Path) -> None:
    assert old in SPEC
    with pytest.raises(ConfigError) as error:
        read(SPEC.replace(old, new, 1), tmp_path)
    assert words in str(error.value) and "spec.toml" in str(error.value) and "\n" not in str(error.value)


def test_a_setting_that_matters_in_some_trials_is_fine_and_one_that_matters_in_none_is_not(tmp_path: Path) -> None:
    """lambda matters with TD(lambda) returns, max_dw with the rewards of wealth that custom pays."""
    plain = SPEC.replace('preset = "avellaneda-stoikov"', "")
    spec = read(plain.replace("ne = 60", "lambd = 0.9").replace("noclip", "td"), tmp_path)
    assert spec.base.training.lambd == 0.9 and spec.config({"training.td": True}).training.td
    spec = read(plain.replace("entropy = [0, 0.5]", "td = [true, false]\nlambd = { low = 0.5, high = 1 }"), tmp_path)
    assert spec.search[-1].key == "training.lambd"
    with pytest.raises(ConfigError, match=r"\[search\] training\.lambd has no effect: .* are off: drop it, or change"):
        read(plain.replace("entropy = [0, 0.5]", "lambd = { low = 0.5, high = 1 }"), tmp_path)
    wealth = plain.replace("ne = 60", "max_dw = 10.0")
    read(wealth.replace("entropy = [0, 0.5]", 'utility = ["linear", "custom"]'), tmp_path)
    with pytest.raises(ConfigError, match=r"reward\.max_dw = 10\.0 has no effect: no wealth reward is paid"):
        read(wealth.replace("entropy = [0, 0.5]", 'utility = ["mean-variance", "linear"]'), tmp_path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"SPEC .*none\.toml cannot be read: No such file"):
        read_sweep(str(tmp_path / "none.toml"), "results")
