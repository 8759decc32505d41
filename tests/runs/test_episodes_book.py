"""The replayed book of an episode: the very trajectory of the batch, with every level as the market had it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mmrl.markets.book import order_book as book
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import fixed
from mmrl.rollout.recording import record_book
from mmrl.rollout.weights import PolicyWeights
from mmrl.runs.book_recording import BookRecording, read_recording
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve
from tests.conftest import book_of
from tests.markets.book.stage import Book

SEED, EPOCH = 7, 3


def settings(**values: Any) -> Config:
    preset = values.pop("preset", None)
    return resolve({"market.nt": 300, "training.nb": 6, **values}, None, preset, {})[0]


@pytest.fixture
def random_weights(untrained: Callable[..., PolicyWeights]) -> Callable[[Config], PolicyWeights]:
    """A policy that nobody trained."""
    return lambda config: untrained(config, hidden=(8,), gain=1.0, divisor=20.0)


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"policy.kind": "categorical"},
        {"preset": "lineage", "market.nt": 300},
        {"market.market_order": "walk", "market.priority": "size"},
    ],
    ids=["gaussian", "categorical", "lineage", "walk"],
)
@pytest.mark.parametrize("steps", [1000, 90])
def test_the_replay_is_the_trajectory_of_the_batch(
    random_weights: Callable[[Config], PolicyWeights], values: dict[str, Any], steps: int
) -> None:
    config = settings(**values)
    weights = random_weights(config)
    batch = rollout(config, weights, SEED, EPOCH, threads=1)
    number = 1 + int(batch.lengths[1:].argmax())
    replay = record_book(config, weights, SEED, EPOCH, number, steps)
    assert replay is not None
    every = -(-config.market.nt // steps)
    rows = batch.offsets[number] + np.arange(0, batch.lengths[number], every)
    assert len(rows) > 20
    for name in ("mid", "bid", "ask", "inventory", "cash"):
        mine = replay.wealth if name == "cash" else getattr(replay, name)
        np.testing.assert_array_equal(mine, getattr(batch, name)[rows])
    np.testing.assert_array_equal(replay.step, batch.step[rows])
    np.testing.assert_allclose(replay.value, batch.value[rows], rtol=1e-12, atol=1e-9)
    tick = book_of(config).tick
    for k, row in enumerate(rows):
        price, shares, own = replay.levels(k)
        bids, asks = price[shares > 0], price[shares < 0]
        if len(bids):
            assert bids.max() * tick == pytest.approx(batch.bid[row], abs=tick / 100)
        if len(asks):
            assert asks.min() * tick == pytest.approx(batch.ask[row], abs=tick / 100)
        if len(bids) and len(asks):
            assert bids.max() < asks.min()
        assert (own >= 0).all() and (own <= np.abs(shares)).all()


def test_every_level_is_as_the_market_had_it() -> None:
    config = settings(**{"market.nt": 60})
    action = np.array([5.0, 1.0, 4.0, 0.9])
    replay = record_book(config, fixed(*action), SEED, EPOCH, 2)
    assert replay is not None
    play = Book(config, SEED, EPOCH, 2)
    play.reset()
    traded = np.zeros(2, np.int64)  # bought, sold
    for k in range(len(replay.step)):
        play.act(*action)
        price, shares, own = replay.levels(k)
        level, ladder = price - play.p.base, play.s.ladder
        held = np.flatnonzero(ladder[:, book.TOTAL])
        np.testing.assert_array_equal(level, held)
        np.testing.assert_array_equal(np.abs(shares), ladder[held, book.TOTAL])
        np.testing.assert_array_equal(own, ladder[held, book.OWN])
        np.testing.assert_array_equal(shares > 0, held <= play.s.core["meta"][book.BEST + book.BID])
        sides = [book.SIDE_OWN + book.BID, book.SIDE_OWN + book.ASK]
        resting = play.s.core["meta"][sides].copy()
        play.advance()
        traded += resting - play.s.core["meta"][sides]
        upto = replay.fill_step <= k
        told = replay.fill_shares[upto]
        assert (told[told > 0].sum(), -told[told < 0].sum()) == tuple(traded)
    assert traded.min() > 0


def test_fills_make_up_inventory_and_cash(random_weights: Callable[[Config], PolicyWeights]) -> None:
    config = settings()
    weights = random_weights(config)
    replay = record_book(config, weights, SEED, EPOCH, 0)
    assert replay is not None and len(replay.fill_step) > 20
    for k in (1, 100, len(replay.step) - 1):
        before = replay.fill_step < replay.step[k]
        assert replay.fill_shares[before].sum() == replay.inventory[k]
        cash = -(replay.fill_shares[before] * replay.fill_price[before].astype(np.float64)).sum()
        assert cash == pytest.approx(replay.wealth[k], abs=0.01 * before.sum())


def test_a_book_of_many_changes_is_kept_whole(
    monkeypatch: pytest.MonkeyPatch, random_weights: Callable[[Config], PolicyWeights]
) -> None:
    config = settings()
    weights = random_weights(config)
    whole = record_book(config, weights, SEED, EPOCH, 1)
    real = np.full

    def scarce(shape: Any, *rest: Any) -> Any:
        """Less room than changes at first."""
        return real((shape[0] // 40, 4) if isinstance(shape, tuple) and shape[1:] == (4,) else shape, *rest)

    monkeypatch.setattr("mmrl.rollout.recording.np.full", scarce)
    short = record_book(config, weights, SEED, EPOCH, 1)
    assert whole is not None and short is not None
    for name, column in whole.arrays().items():
        np.testing.assert_array_equal(short.arrays()[name], column)


def damaged(replay: BookRecording, **changes: Any) -> dict[str, Any]:
    return {**replay.arrays(), **{f"book_{name}": value for name, value in changes.items()}}


def test_a_damaged_replay_counts_as_none() -> None:
    config = settings()
    replay = record_book(config, fixed(1.0, 1.0, 1.0, 1.0), SEED, EPOCH, 0)
    assert replay is not None
    assert read_recording(replay.arrays()) is not None and read_recording({}) is None
    count, changes = len(replay.step), len(replay.price)
    far = np.where(np.arange(changes) == 3, 2**31 - 1, replay.price)
    for case in (
        {"mid": replay.mid[:-1]},
        {"mid": np.where(np.arange(count) == 2, np.nan, replay.mid)},
        {"offsets": replay.offsets[::-1]},
        {"offsets": replay.offsets + 1},
        {"offsets": replay.offsets.astype(np.float64)},
        {"price": far},
        {"price": replay.price[:, None]},
        {"own": replay.own[:-1]},
        {"tick": np.zeros(1)},
        {"tick": np.ones(2)},
        {"fill_shares": replay.fill_shares[:-1]},
        {"step": np.array(["a"] * count)},
    ):
        assert read_recording(damaged(replay, **case)) is None, case


@pytest.mark.parametrize(("engine", "replayed"), [("compiled", True), ("tensor", False)])
def test_only_the_engine_that_played_a_batch_can_play_it_again(engine: str, replayed: bool) -> None:
    from mmrl.learn.trainer import Trainer
    from mmrl.training.episode import episode_arrays

    trainer = Trainer(resolve({"nt": 20, "nb": 4, "run.engine": engine, "threads": 1}, None, None, {})[0])
    arrays = episode_arrays(trainer.config, trainer.step(), trainer)
    assert any(name.startswith("book_fill") for name in arrays) == replayed
