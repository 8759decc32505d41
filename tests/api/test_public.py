"""`import mmrl`: ten names, lazy, and the same numbers as the command line."""

from __future__ import annotations

import copy
import inspect
import json
import math
import pickle
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cli
import mmrl
from mmrl.settings.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
GOOD = ROOT / "good-results"
GAME = "avellaneda-stoikov-ppo"
TINY: dict[str, Any] = {"nt": 20, "nb": 4, "ne": 3, "threads": 1, "minibatches": 1}


def test_import_is_light_and_every_name_is_there() -> None:
    script = (
        "import sys, mmrl\n"
        "assert not {'torch', 'numba', 'numpy', 'pydantic', 'typing'} & (set(sys.modules) - before), sys.modules\n"
        "assert set(mmrl.__all__) <= set(dir(mmrl))\n"
        "import mmrl.runs.store, mmrl.evaluate, mmrl.markets\n"
        "for name in mmrl.__all__: assert callable(getattr(mmrl, name)) or name == '__version__', name\n"
        "assert mmrl.runs('nowhere') == [] and mmrl.runs.store.find_runs('nowhere') == []\n"
    )
    script = "import sys\nbefore = set(sys.modules)\n" + script
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, cwd=ROOT, timeout=60)


def test_signatures_and_documentation() -> None:
    assert list(inspect.signature(mmrl.runs).parameters) == ["results"]
    assert list(inspect.signature(mmrl.evaluate).parameters)[:3] == ["makers", "config", "trajectories"]
    for name in set(mmrl.__all__) - {"__version__", "evaluate", "markets", "runs"}:
        assert getattr(mmrl, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mmrl.nothing  # type: ignore[attr-defined]


def test_config_of_preset_file_and_keywords(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text("lr = 0.125\nnb = 7\n")
    config = mmrl.Config.of("avellaneda-stoikov", file=str(path), nb=9, sigma=3)
    assert (config.training.lr, config.training.nb, config.market.nt) == (0.125, 9, 200)
    assert config.market.model_dump()["sigma"] == 3.0  # a whole number where a float is meant
    assert config.but(ne=5).training.ne == 5 and config.training.ne == 100
    assert mmrl.Config.of(market="order-flow", horizons=np.array([1.0, 2.0])).market.model_dump()["horizons"] == (1, 2)
    for wrong, words in (
        ({"lrr": 1}, "did you mean 'lr'"),
        ({"nb": 0}, "nb = 0 is not allowed"),
        ({"layerz": 1}, "unknown key"),
        ({"lambd": 0.3}, "has no effect"),
    ):
        with pytest.raises(ConfigError, match=words):
            mmrl.Config.of(**wrong)
    with pytest.raises(ConfigError, match="has no effect"):
        config.but(td=False, lambd=0.3)


def test_markets_and_runs() -> None:
    assert {"book", "avellaneda-stoikov", "order-flow"} <= set(mmrl.markets())
    assert [axis.name for axis in mmrl.markets()["avellaneda-stoikov"].axes] == ["bid distance", "ask distance"]
    found = {run.name: run for run in mmrl.runs(GOOD)}
    assert found[GAME].market == "avellaneda-stoikov" and found[GAME].state == "finished"


def numbers(record: Any) -> dict[str, Any]:
    """But for times, and warnings, which only a run folder has."""
    without = ("seconds", "steps_per", "wall", "warnings")
    return {key: repr(value) for key, value in record.items() if not key.startswith(without)}  # NaN is not NaN


def test_training_is_the_same_with_and_without_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    config = mmrl.Config.of("avellaneda-stoikov", **TINY)
    free = list(mmrl.train(config))
    assert [epoch.number for epoch in free] == [1, 2, 3]
    assert list(tmp_path.iterdir()) == []
    kept = []
    for epoch in mmrl.train(config, results=tmp_path):
        kept.append(epoch)
        if epoch.number == 2:
            time.sleep(0.5)  # long enough for another epoch, which is not wanted yet
            break  # stopped with a checkpoint
    (run,) = mmrl.runs(tmp_path)
    assert (run.state, run.epoch) == ("interrupted", 2)
    assert free[1].policy.quote(inventory=2) == mmrl.load(run.name, tmp_path, epoch="last").quote(inventory=2)
    kept += mmrl.train(config, results=tmp_path)  # goes on where it stopped
    assert [numbers(a) for a in free] == [numbers(b) for b in kept]
    assert free[2].policy.quote(inventory=2) == kept[-1].policy.quote(inventory=2)
    assert free[2].policy.quote() != free[1].policy.quote()  # it learned
    assert mmrl.runs(tmp_path)[0].state == "finished" and len(mmrl.runs(tmp_path)) == 1


def test_every_epoch_of_a_kept_run_has_its_policy(tmp_path: Path) -> None:
    config = mmrl.Config.of("avellaneda-stoikov", **{**TINY, "ne": 4})
    kept, free = list(mmrl.train(config, results=tmp_path)), list(mmrl.train(config))
    for a, b in zip(kept, free, strict=True):
        assert a.policy.quote(inventory=1) == b.policy.quote(inventory=1) and a.policy.epoch == a.number
    assert kept[0].policy.run == mmrl.runs(tmp_path)[0].name
    assert kept[-1].policy.quote(inventory=1) == mmrl.load(kept[0].policy.run, tmp_path, epoch=4).quote(inventory=1)


def test_policies_in_memory_are_told_apart() -> None:
    one = mmrl.Config.of("avellaneda-stoikov", **TINY)
    first, *_, last = (epoch.policy for epoch in mmrl.train(one))
    found = mmrl.evaluate(first, last, trajectories=20)
    assert [row["agent"] for row in found] == ["policy", "policy 2"] and found[0]["epoch"] != found[1]["epoch"]
    (other,) = (epoch.policy for epoch in mmrl.train(one.but(sigma=5.0, ne=1)))
    with pytest.raises(ValueError, match="different markets"):
        mmrl.evaluate(first, other, trajectories=20)


def test_runs_and_folders_are_makers() -> None:
    (run,) = (run for run in mmrl.runs(GOOD) if run.name == GAME)
    by_name = mmrl.evaluate(GAME, trajectories=20, results=GOOD)[0]
    for maker in (run, Path(run.folder)):
        assert mmrl.evaluate(maker, trajectories=20, results=GOOD)[0] == by_name
        assert mmrl.simulate(maker, trajectories=2, results=GOOD).count == 2
    assert mmrl.load(Path(run.folder)).quote() == mmrl.load(run).quote()


UNTYPED: Any = mmrl


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: UNTYPED.train("avellaneda-stoikov"), "train takes a Config, not 'avellaneda-stoikov'"),
        (lambda: UNTYPED.evaluate(3), "3 is no maker"),
        (lambda: UNTYPED.simulate(GAME, trajectories="x", results=GOOD), "trajectories = 'x'"),
        (lambda: UNTYPED.evaluate(GAME, seed=1.5, results=GOOD), "seed = 1.5"),
        (lambda: UNTYPED.load(GAME, GOOD).quote(time_left=math.inf), "time_left = inf"),
        (lambda: UNTYPED.load(GAME, GOOD).quote([math.nan, 0.0]), "an observation must be finite numbers"),
        (lambda: UNTYPED.load(GAME, GOOD).quotes([[math.inf, 0.0]]), "observations must be finite numbers"),
        (lambda: UNTYPED.LimitOrderBook(5, 1), "low = 5 is above high = 1"),
        (lambda: UNTYPED.LimitOrderBook(1, 5, "foo"), "priority = 'foo' is not allowed: it must be 'time' or 'size'"),
        (lambda: UNTYPED.LimitOrderBook(1, 5).bid(1, 2, "foo"), "owner = 'foo'"),
        (lambda: UNTYPED.LimitOrderBook(1, 5).best("foo"), "side = 'foo'"),
    ],
)
def test_wrong_values_are_told_in_one_line(call: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)) as error:
        call()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("below", "said"), [("", "File exists"), ("/results", "Not a directory")])
def test_a_folder_that_cannot_be_written_is_told_as_by_the_command(
    below: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    place = f"{tmp_path}/file{below}"
    with pytest.raises(ConfigError, match=said) as error:
        next(iter(mmrl.train(mmrl.Config.of(**TINY), results=place)))
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", "-nt", "20", "-nb", "4", "--results", place])
    assert capsys.readouterr().err == f"mmrl: {error.value}\n" and place in str(error.value)
    assert ended.value.code == 1


def test_shares_and_prices_of_a_book_are_whole() -> None:
    for shares, price in ((1.5, 2), (1, 2.5)):
        with pytest.raises(TypeError, match="integer"):
            mmrl.LimitOrderBook(1, 5).bid(shares, price)  # type: ignore[arg-type]


def test_what_is_public_explains_itself_and_can_be_sent_to_processes() -> None:
    assert "makers" in (inspect.getdoc(mmrl.evaluate) or "") and "folder" in (inspect.getdoc(mmrl.runs) or "")
    assert pickle.loads(pickle.dumps(mmrl.evaluate)) is mmrl.evaluate
    quotes = mmrl.load(GAME, GOOD).quote(inventory=2)
    assert copy.deepcopy(quotes) == pickle.loads(pickle.dumps(quotes)) == quotes


def test_evaluate_is_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    found = mmrl.evaluate(GAME, "symmetric", trajectories=300, seed=3, results=GOOD)
    line = f"evaluate {GAME} --agent symmetric --trajectories 300 --seed 3 --json --results {GOOD}"
    with pytest.raises(SystemExit):
        cli.main(line.split())
    printed = json.loads(capsys.readouterr().out)
    assert json.loads(json.dumps(found.as_dict(), default=list)) == printed
    assert [row["agent"] for row in found] == [GAME, "symmetric"] and len(found) == 2
    assert found[0]["optimality"] > 0.999 and "optimality" in str(found)
    policy = mmrl.evaluate(mmrl.load(GAME, GOOD), trajectories=300, seed=3)
    assert policy[0]["exact_ce"] == pytest.approx(found[0]["exact_ce"], rel=1e-9)
    assert policy[0]["value_mean"] == found[0]["value_mean"]
    frame = pytest.importorskip("pandas", reason="a DataFrame needs pandas") and found.dataframe()
    assert frame.loc["symmetric", "value_mean"] == found[1]["value_mean"]


def test_simulate_plays_what_evaluate_grades() -> None:
    config = mmrl.Config.of("avellaneda-stoikov", nt=30)
    batch = mmrl.simulate("fixed:0.7", config, trajectories=50, seed=1)
    assert batch.offsets.tolist() == list(range(0, 1501, 30))
    assert (batch.mid - batch.bid).max() == pytest.approx(0.7)
    row = mmrl.evaluate("fixed:0.7", config=config, trajectories=50, seed=1)[0]
    assert batch.final_value.mean() == pytest.approx(row["value_mean"], rel=1e-12)


def test_what_cannot_be_is_refused_in_one_line() -> None:
    config = mmrl.Config.of("avellaneda-stoikov")
    with pytest.raises(ConfigError, match="in which market shall symmetric trade"):
        mmrl.simulate("symmetric")
    with pytest.raises(ConfigError, match="was trained on 'book'"):
        mmrl.evaluate(mmrl.load("quickstart", GOOD), config=config)
    with pytest.raises(ConfigError, match="trajectories = 0 is not allowed: it must be a whole number >= 1"):
        mmrl.evaluate(GAME, trajectories=0, results=GOOD)
    with pytest.raises(ConfigError, match="different markets"):
        mmrl.evaluate(GAME, "quickstart", results=GOOD)
