"""Comparisons: common random numbers, seeds apart from training, the published table, refusals, JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrl.commands import evaluate as report
from mmrl.evaluate import compare, surface
from mmrl.evaluate.grade import Grade, Grader
from mmrl.rollout import compiled
from mmrl.rollout.quoters import learned
from mmrl.rollout.streams import STREAMS, stream_seed
from mmrl.settings.errors import ConfigError
from mmrl.settings.sources import resolve

KEYS = [
    "agent", "spread_mean", "value_mean", "value_ci", "value_std", "inventory_mean", "inventory_std", "fills_mean",
    "ce", "ce_ci", "ce_effective_samples", "epoch", "exact_ce", "optimality", "quantile_01", "cvar_01",
    "sharpe", "max_drawdown",    "inventory_abs_mean", "pnl_spread", "pnl_inventory",
]  # fmt: skip
GAME = "avellaneda-stoikov"


def evaluated(capsys: pytest.CaptureFixture[str], *agents: str, **options: Any) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "runs": [], "market": GAME, "assignments": [], "trajectories": 2000, "seed": 0, "results": "results",
        **options,
    }  # fmt: skip
    report.evaluate(agents=agents, as_json=True, **arguments)
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_published_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Linear fills, 100 000 paths gave 64.89 / 6.55 / 2.93 and 68.26 / 13.42 / 8.39."""
    found = evaluated(
        capsys, GAME, "symmetric", assignments=["gamma=0.1", "fill=linear"], trajectories=20_000
    )  # fmt: skip
    assert found["optimum_ce"] == pytest.approx(65.25, abs=0.005)
    want = [(1.49, 64.89, 6.55, 2.93, 62.79), (1.49, 68.26, 13.42, 8.39, 40.48)]
    for row, (spread, value, std, std_q, exact) in zip(found["rows"], want, strict=True):
        assert list(row)[: len(KEYS)] != [] and set(KEYS) <= set(row)
        assert row["spread_mean"] == pytest.approx(spread, abs=0.006)
        error = (row["value_ci"][1] - row["value_ci"][0]) / 2
        assert abs(row["value_mean"] - value) < 2 * error
        assert row["value_std"] == pytest.approx(std, rel=0.03)
        assert row["inventory_std"] == pytest.approx(std_q, rel=0.03)
        assert row["exact_ce"] == pytest.approx(exact, abs=0.005)
        assert row["optimality"] == pytest.approx(row["exact_ce"] / found["optimum_ce"])
    assert set(found) == {"market", "parameters", "trajectories", "seed", "optimum_ce", "rows", "split"}


def test_rows_share_their_luck(capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(capsys, "glft", "glft", "glft-asymptotic", trajectories=500)
    first, same, near = found["rows"]
    assert same["difference"] == 0 and same["difference_ci"] is None  # equal games do not tell how rare others are
    assert {**same, "agent": ""} == {**first, "agent": ""}
    width = near["difference_ci"][1] - near["difference_ci"][0]
    assert width < 0.5 * (near["value_ci"][1] - near["value_ci"][0])  # what common random numbers are for


def test_chunks_and_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    config = resolve({"nt": 50}, None, GAME, {})[0]
    entrant = compare.named_agent("symmetric", config)
    whole = compare.simulate(entrant, 100, 3, threads=1)
    monkeypatch.setattr(compare, "CHUNK_ROWS", 50 * 7)
    parts = compare.simulate(entrant, 100, 3, threads=2)
    np.testing.assert_array_equal(whole.value, parts.value)
    assert not np.array_equal(whole.value, compare.simulate(entrant, 100, 4).value)


def test_evaluation_seeds_never_meet_training_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    real = compiled.rollout

    def spy(config: Any, quoter: Any, seed: int, *rest: Any, **named: Any) -> Any:
        seen.append(seed)
        return real(config, quoter, seed, *rest, **named)

    config = resolve({"nt": 20}, None, GAME, {})[0]
    compare.simulate(compare.named_agent("symmetric", config), 5, 0)  # the first of a process may compile by a rollout
    monkeypatch.setattr(compiled, "rollout", spy)
    for seed in range(3):
        compare.simulate(compare.named_agent("symmetric", config), 5, seed)
    training = {stream_seed(seed, name) for seed in range(2000) for name in STREAMS if name != "evaluation"}
    assert len(set(seen)) == 3 and not training & set(seen)


def test_penalty_objective_is_its_own_yardstick(capsys: pytest.CaptureFixture[str]) -> None:
    settings = ["utility=inventory-penalty", "inventory_penalty=0.01", "final_penalty=0.001"]
    found = evaluated(capsys, "cartea-jaimungal", "optimum", assignments=settings, trajectories=20_000)
    assert found["parameters"]["utility"] == "inventory-penalty"
    for row in found["rows"]:
        low, high = row["ce_ci"]
        assert low - (high - low) < row["exact_ce"] < high + (high - low)
    assert found["rows"][0]["optimality"] < found["rows"][1]["optimality"] == pytest.approx(1, abs=1e-6)


def test_a_book_has_no_optimum(capsys: pytest.CaptureFixture[str]) -> None:
    found = evaluated(capsys, "naive", "symmetric", market="book", assignments=["nt=20"], trajectories=20)
    assert found["optimum_ce"] is None
    assert all(row["exact_ce"] is None and row["optimality"] is None for row in found["rows"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"agents": ["nobody"]}, "unknown agent 'nobody'"),
        ({"agents": ["naive"]}, "agent 'naive' needs a market with a simple maker of its own"),
        ({"agents": ["glft"], "assignments": ["gamma=0"]}, "gamma = 0.0 is not allowed"),
        ({"agents": ["glft"], "max_inventory": 3}, "Q = 3 is too small"),
        ({"agents": ["glft"], "assignments": ["lr=1"]}, "only market and reward settings"),
        ({"agents": ["glft"], "market": "moon"}, "market.name = 'moon' is not allowed"),
        ({"agents": ["glft"], "save": "x.gif"}, "must end in one of"),
        ({"agents": ["naive"], "market": "book", "quotes": True}, "no table of quotes"),
        ({"agents": [], "runs": ["quickstart"], "results": "good-results"}, "cannot quote on"),
    ],
)
def test_refusals_are_one_line(options: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "runs": [], "market": GAME, "assignments": [], "trajectories": 5, "seed": 0, "results": "results",
        "as_json": True, **options,
    }  # fmt: skip
    with pytest.raises(ConfigError, match=message) as caught:
        report.evaluate(**arguments)
    assert "\n" not in str(caught.value)


def test_table_and_quotes_are_drawn(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    arguments: dict[str, Any] = {
        "runs": [], "agents": ["optimum", GAME], "market": GAME, "assignments": ["nt=20"], "trajectories": 50,
        "seed": 0, "results": "results", "as_json": False,
    }  # fmt: skip
    report.evaluate(**arguments)
    text = capsys.readouterr().out
    assert "exact optimum" in text and "optimality" in text and "100.00 %" in text and "CVaR" in text
    report.evaluate(**arguments, quotes=True)
    assert "bid distance, t = 0.5 T" in capsys.readouterr().out
    for suffix in ("svg", "png"):
        report.evaluate(**arguments, quotes=True, save=str(tmp_path / f"q.{suffix}"))
        assert (tmp_path / f"q.{suffix}").stat().st_size > 5000


def test_curves_read_the_table() -> None:
    config = resolve({"nt": 20}, None, GAME, {})[0]
    entrant = compare.named_agent(GAME, config)
    q, panels = surface.curves([entrant])
    assert [(p.title, p.moment) for p in panels[2:4]] == [("bid distance", 0.5), ("ask distance", 0.5)]
    bid, ask = (panel.lines[0][1] for panel in panels[2:4])
    half = 0.5 * 0.4 * 0.5 + np.log(1 + 0.1 / 1.5) / 0.1
    np.testing.assert_allclose(bid, half + q * 0.2)
    np.testing.assert_allclose(ask, half - q * 0.2)


def test_curves_on_the_book_have_sizes() -> None:
    config = resolve({"nt": 200}, None, None, {})[0]
    q, panels = surface.curves([compare.named_agent(name, config) for name in ("fixed", "naive", "glft")])
    assert [p.title for p in panels[:4]] == ["bid distance", "ask distance", "bid size", "ask size"]
    assert q[0] == -q[-1] and q[-1] >= 10
    (name, half), (other, lean) = panels[1].lines  # the naive agent mirrors the book: no line
    assert (name, other) == ("fixed", "glft")
    assert np.ptp(half) == 0 and lean[0] > lean[-1]  # long, it asks for less
    assert set(panels[2].lines[0][1]) == {1.0}
    with pytest.raises(ConfigError, match="naive has no table of quotes"):
        surface.curves([compare.named_agent("naive", config)])


def test_an_untrained_policy_is_graded_by_its_deterministic_quotes() -> None:
    from mmrl.agents.learned import quote_table
    from mmrl.learn.trainer import Trainer

    config, _ = resolve({"nt": 20, "nb": 20, "threads": 1}, None, GAME, {})
    trainer = Trainer(config)
    grade = Grader(config).grade(trainer.policy, trainer.normaliser).optimality
    assert grade is not None and grade < 1
    table = quote_table(config, trainer.policy.weights(trainer.normaliser), 5)
    batch = trainer.engine.rollout(trainer.policy, trainer.normaliser, seed=1, epoch=0, count=4)
    assert table.shape == (20, 11, 2) and batch.nnz == 80
    quoter = learned(trainer.policy.weights(trainer.normaliser), deterministic=True)
    played = compiled.rollout(config, quoter, 1, 0, count=8)
    inside = np.abs(played.inventory) <= 5
    want = table[played.step[inside], played.inventory[inside] + 5]
    np.testing.assert_allclose(played.mid[inside] - played.bid[inside], want[:, 0], atol=1e-5)


def test_a_policy_of_an_unsolved_market_is_graded_on_the_same_trajectories_every_time() -> None:
    from mmrl.learn.trainer import Trainer

    config, _ = resolve({"nt": 30, "nb": 10, "threads": 1}, None, None, {})
    trainer = Trainer(config)
    first, again = (Grader(config).grade(trainer.policy, trainer.normaliser) for _ in range(2))
    assert first.optimality is None and first.record() == {"grade": first.value}
    assert first.scores is not None and again.scores is not None
    np.testing.assert_array_equal(first.scores, again.scores)
    seed = stream_seed(config.run.seed, "grade")
    weights, means = trainer.policy.weights(trainer.normaliser), []
    for deterministic in (True, False):
        played = compiled.rollout(config, learned(weights, deterministic), seed, 0, count=20)
        means.append(played.segment_sum(played.reward).mean())
    assert means[0] != means[1] and first.value == pytest.approx(max(means))


def test_a_fall_is_told_from_chance() -> None:
    rng = np.random.default_rng(0)
    scores = 100 + rng.normal(0, 10, 100)
    best = Grade(100.0, scores=scores)
    paired = scores + rng.normal(0, 1, 100)  # the same luck, se 0.1
    assert not Grade(99.9, scores=paired - 0.1).fallen_from(best)
    assert Grade(98.0, scores=paired - 2.0).fallen_from(best)
    assert not Grade(98.0, scores=98 + rng.normal(0, 10, 100)).fallen_from(best)  # other luck, se 1.4
    exact = Grade(42.0, 0.99)
    assert not Grade(41.9, 0.9876).fallen_from(exact) and Grade(41.0, 0.966).fallen_from(exact)
