"""The best of simple families: against scans, against a linear maker from the literature, on numbers of its own."""

from __future__ import annotations

import json

import numpy as np
import pytest

from mmrl.agents import agent, distances
from mmrl.commands.evaluate import evaluate
from mmrl.markets.contract import market_of
from mmrl.markets.objective import objective_of
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import Quoter, fixed, linear
from mmrl.rollout.tensor import TensorEngine
from mmrl.settings.build import build
from mmrl.settings.model import Config

GAME = build({"market": {"name": "avellaneda-stoikov", "nt": 40, "arrival": 60.0, "gamma": 0.5}})
BOOK = build({"market": {"nt": 60}})


def exact(quoter: Quoter, config: Config = GAME) -> float:
    solver = market_of(config).optimum
    assert solver is not None
    table = distances(quoter, config)
    assert table is not None
    return float(solver.value_of_quotes(config.market, objective_of(config), table))


def reward(quoter: Quoter, config: Config = BOOK, count: int = 400) -> np.ndarray:
    """Total rewards of trajectories that no search draws."""
    batch = rollout(config, quoter, 77, 0, count=count)
    return batch.segment_sum(batch.reward)


def test_a_linear_quoter_by_hand_in_both_engines() -> None:
    config = build({"market": {"name": "avellaneda-stoikov", "nt": 20}})
    quoter = linear([(0.5, 0.1, 0.2), (0.6, -0.1, 0.3)])
    for batch in (
        rollout(config, quoter, 1, 0, count=50),
        TensorEngine(config).rollout(quoter, None, 1, 0, 50).numpy(),
    ):
        left = 1 - batch.step / 20
        np.testing.assert_allclose(batch.action[:, 0], 0.5 + 0.1 * batch.inventory + 0.2 * left, atol=1e-5)
        np.testing.assert_allclose(batch.ask - batch.mid, 0.6 - 0.1 * batch.inventory + 0.3 * left, atol=1e-4)
        assert len(np.unique(batch.inventory)) > 5
    table = distances(quoter, config)
    assert table is not None
    assert table[5, 60 + 7] == pytest.approx([0.5 + 0.7 + 0.2 * 0.75, 0.6 - 0.7 + 0.3 * 0.75])


def test_the_best_fixed_quotes_of_a_solved_market() -> None:
    """A scan of the exact value; the market is the same on both sides."""
    scan = np.linspace(0.2, 3.0, 281)
    best = scan[np.argmax([exact(fixed(d, d)) for d in scan])]
    found = agent("best-fixed", GAME)
    assert all(rule[1:] == (0.0, 0.0) for rule in found.linear)
    assert [rule[0] for rule in found.linear] == pytest.approx([best, best], abs=0.02)


def test_the_best_linear_quotes_of_a_solved_market() -> None:
    """The asymptotic closed form is a linear maker of the literature; no linear maker may beat the optimum."""
    best = exact(agent("best-linear", GAME))
    optimum = exact(agent("optimum", GAME))
    assert exact(agent("best-fixed", GAME)) < exact(agent("glft-asymptotic", GAME)) < best < optimum
    assert best > 0.995 * optimum


@pytest.mark.nightly
def test_the_best_fixed_quotes_of_the_book() -> None:
    """Nothing on a grid of sizes and distances, the same on both sides or not, is better by more than its noise."""
    found = agent("best-fixed", BOOK)
    assert all(rule[0] == round(rule[0]) for rule in found.linear[::2])  # sizes are whole
    ours = reward(found)
    for n_bid in (1, 3, 5, 8):
        for n_ask in (1, 3, 5, 8):
            for bid in (0.4, 0.8, 1.2, 2.0):
                for ask in (0.4, 0.8, 1.2, 2.0):
                    gain = reward(fixed(n_bid, bid, n_ask, ask)) - ours
                    assert gain.mean() < 4 * gain.std() / np.sqrt(gain.size)


@pytest.mark.nightly
def test_linear_beats_fixed_on_the_book_and_the_objective_counts() -> None:
    gain = reward(agent("best-linear", BOOK)) - reward(agent("best-fixed", BOOK))
    assert gain.mean() > 4 * gain.std() / np.sqrt(gain.size)
    penalty = build({"market": {"nt": 60}, "reward": {"utility": "inventory-penalty", "inventory_penalty": 0.001}})
    careful = agent("best-fixed", penalty)
    held = [np.abs(rollout(BOOK, q, 5, 0, count=100).inventory).mean() for q in (careful, agent("best-fixed", BOOK))]
    assert held[0] < held[1]


def test_the_search_is_a_function_of_the_seed() -> None:
    again = build({"market": {"nt": 60}, "run": {"threads": 1}})
    other = build({"market": {"nt": 60}, "run": {"seed": 1}})
    assert agent("best-fixed", again).linear == agent("best-fixed", BOOK).linear
    assert agent("best-fixed", other).linear != agent("best-fixed", BOOK).linear


def test_what_was_found_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate([], ["best-fixed", "fixed:2@0.5", "naive"], None, ["nt=20"], 20, 0, "results", as_json=True)
    told = capsys.readouterr()
    rows = json.loads(told.out)["rows"]
    assert rows[0]["rule"] == {
        axis: list(rule)
        for axis, rule in zip(
            ("bid size", "bid distance", "ask size", "ask distance"),
            agent("best-fixed", build({"market": {"nt": 20}})).linear,
            strict=True,
        )
    }
    assert rows[1]["rule"]["ask size"] == [2, 0, 0] and rows[2]["rule"] is None
    assert "best-fixed: generation 11 of 30" in told.err
    evaluate([], ["fixed:2@0.5"], None, ["nt=20"], 20, 0, "results", as_json=False)
    assert "bid size 2, bid distance 0.5, ask size 2, ask distance 0.5" in capsys.readouterr().out
