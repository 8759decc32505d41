"""A policy in a program: the quotes of its run, named errors, some microseconds, no torch."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mmrl.agents import learned
from mmrl.kernels.play import OBSERVATION_CLIP
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.policy import frozen
from mmrl.policy.policy import Policy, Quotes
from mmrl.policy.reading import load
from mmrl.runs.config_file import read_config
from mmrl.runs.listing import RunNotFound
from mmrl.settings.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
GOOD = ROOT / "good-results"
RUNS = sorted(path.name for path in GOOD.iterdir())
GAME = "avellaneda-stoikov-ppo"


@pytest.fixture(scope="module")
def game() -> Policy:
    return load(GAME, GOOD)


@pytest.mark.parametrize("run", RUNS)
def test_the_quotes_are_those_of_the_run(run: str) -> None:
    """The engine's own way: torch, the statistics of the normaliser, the units of the market."""
    config, policy = read_config(GOOD / run).config, load(run, GOOD)
    epoch, state = learned.checkpoint_of(GOOD / run)
    weights = learned.weights_in(state, config)
    held, left = np.arange(-7, 8), np.array([1.0, 0.6, 0.05])
    wanted = learned.actions(config, weights, held, left)
    found = [[policy.quote(inventory=float(q), time_left=float(t)).values_ for q in held] for t in left]
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)
    assert policy.epoch == epoch and policy.run == run and policy.config == config
    assert np.ptp(wanted, axis=1).max() > 0.01  # they depend on the inventory


@pytest.mark.parametrize("run", RUNS)
def test_many_quotes_are_single_quotes(run: str) -> None:
    policy = load(run, GOOD)
    rng = np.random.default_rng(0)
    f = policy.frozen
    rows = (f.mean + 3 * f.std * rng.standard_normal((50, f.mean.size))).astype(np.float32)
    if (left := f.column_of("time left")) is not None:
        rows[:, left] = rng.random(len(rows))
    single = [policy.quote(row).values_ for row in rows]
    np.testing.assert_allclose(single, policy.quotes(rows), rtol=2e-6, atol=2e-6)


def test_a_skew_that_fades_and_a_grid_by_hand() -> None:
    """One input, weights 1, so that all can be computed by hand."""
    from mmrl.markets.contract import Axis, Column

    one = np.ones((1, 1), np.float32)
    axis = Axis("bid distance", "distance", "bid", "currency", centre=2.0, scale=0.5, skew=0.25)
    f = frozen.Frozen(
        "gaussian", ((one, one[0]), (one, one[0])), 2 * one, one[0], 4 * one[0], (Column("x"),), (axis,), 0.5, "toy"
    )  # fmt: skip
    # x = (9 - 1) / 4 = 2, output tanh(2 + 1) + 1 + 2 * 2; skew 0.25 * 3 * tanh(0.2 / 0.5)
    output = np.tanh(3.0) + 1 + 4
    expected = 2 + 0.5 * output + 0.25 * 3 * np.tanh(0.4)
    assert Policy(f).quote(x=9, inventory=3, time_left=0.2).bid_distance == pytest.approx(expected, rel=1e-6)
    chosen = replace(axis, grid=(0.1, 0.7), grid_skew=-1.0, whole=True, low=0.0)
    two = np.array([[1.0, -1.0]], np.float32)
    c = replace(f, kind="categorical", axes=(chosen,), layers=((two, np.zeros(2, np.float32)),), skip=0 * two)
    assert Policy(c).quote(x=9, inventory=-2, time_left=1)["bid distance"] == 2.0  # rint(0.1 + 2)
    assert Policy(c).quote(x=-9, inventory=0, time_left=1)["bid distance"] == 1.0  # rint(0.7)
    assert Policy(c).quote(x=-9, inventory=50, time_left=1)["bid distance"] == 0.0  # the market takes no less
    assert Policy(c).quotes(np.array([[9.0], [-9.0]])).tolist() == [[0.0], [1.0]]


def test_quotes_are_a_mapping(game: Policy) -> None:
    quotes = game.quote(inventory=3, time_left=0.5)
    assert isinstance(quotes, Quotes)
    assert dict(quotes) == {"bid distance": quotes.bid_distance, "ask distance": quotes.ask_distance}
    assert quotes.bid_distance > quotes.ask_distance  # long: it wants to sell
    assert list(game.quote([3, 0.5]).values_) == list(quotes.values_)
    assert game.quote([0, 0.5], inventory=3) == quotes
    assert "bid_distance=" in repr(quotes)
    with pytest.raises(AttributeError, match="there are bid_distance, ask_distance"):
        _ = quotes.bid
    with pytest.raises(KeyError):
        _ = quotes["bid"]


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"observation": [1.0]}, ValueError, r"2 numbers \(inventory, time left\)"),
        ({"observation": [np.nan, 1.0]}, ValueError, "finite"),
        ({"inventory": np.inf}, ValueError, None),  # clipped, then the skew is infinite
        ({"inventry": 1}, TypeError, "did you mean 'inventory'"),
        ({"mid": 1}, TypeError, "it sees inventory, time_left"),
    ],
)
def test_what_it_does_not_see_is_refused(
    given: dict[str, object], error: type[Exception], words: str | None, game: Policy
) -> None:
    with pytest.raises(error, match=words):
        game.quote(**given)  # type: ignore[arg-type]


def seconds(call: Callable[[], object]) -> float:
    """CPU time of a call, the least of many batches: other load on the machine only adds to it."""

    def batch() -> float:
        began = time.thread_time()
        for _ in range(200):
            call()
        return (time.thread_time() - began) / 200

    return min(batch() for _ in range(40))


def test_a_call_costs_little_more_than_its_network(game: Policy) -> None:
    f, raw = game.frozen, game.frozen.mean.copy()
    turns = [(seconds(lambda: game.quote(inventory=3, time_left=0.5)), seconds(lambda: f.forward(f.normalise(raw))))]
    turns.append((seconds(lambda: game.quote(raw)), turns[0][1]))
    assert min(quote / network for quote, network in turns) < 1.5


@pytest.mark.nightly
def test_a_call_takes_less_than_20_microseconds(game: Policy) -> None:
    assert min(seconds(lambda: game.quote(inventory=3, time_left=0.5)) for _ in range(10)) < 20e-6


def test_neither_torch_nor_numba_is_loaded() -> None:
    script = (
        "import sys, mmrl\n"
        f"quotes = mmrl.load({str(GOOD / GAME)!r}).quote(inventory=3, time_left=0.5)\n"
        "assert 0 < quotes.ask_distance < quotes.bid_distance\n"
        "assert not {'torch', 'numba', 'textual'} & set(sys.modules), set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, timeout=60)


def test_constants_are_those_of_the_engine() -> None:
    assert frozen.CLIP == OBSERVATION_CLIP
    normaliser = RunningNormaliser(4)
    normaliser.mean, normaliser.var = np.array([0.0, 1e4, 5.0, 0.0]), np.array([4.0, 1e-9, 0.25, 0.0])
    assert frozen._std(normaliser.mean, normaliser.var).tolist() == normaliser.std.tolist() == [2.0, 1.0, 0.5, 1.0]


@pytest.mark.parametrize("run", RUNS)
def test_a_file_gives_the_same_policy(run: str, tmp_path: Path) -> None:
    policy, path = load(run, GOOD), tmp_path / "policy.npz"
    np.savez(path, **policy.frozen.arrays())  # type: ignore[arg-type]
    again = load(path)
    assert again.quote().values_ == policy.quote().values_
    assert (again.columns, again.axes, again.run, again.epoch) == (policy.columns, policy.axes, run, policy.epoch)
    assert again.frozen.axes == policy.frozen.axes and again.config is None


def test_what_is_no_policy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.npz").write_bytes(b"PK no zip")
    np.savez(tmp_path / "b.npz", x=np.zeros(3))
    for name, words in (("a.npz", "no file of mmrl export"), ("b.npz", "no file of mmrl export"), ("c.npz", "No such")):
        with pytest.raises(ConfigError, match=words):
            load(tmp_path / name)
    with pytest.raises(RunNotFound):
        load("nothing", tmp_path)
    with pytest.raises(ConfigError, match="keeps the policies of epochs"):
        load(GAME, GOOD, epoch=12345)
