"""The replayed book of an episode: the very trajectory of the batch, with every level as the market had it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmrl.kernels.random import seed_stream
from mmrl.markets.book import dynamics as diffusive
from mmrl.markets.book import order_book as book
from mmrl.rollout.compiled import action_size, observation_size, rollout
from mmrl.rollout.quoters import fixed
from mmrl.rollout.recording import record_book
from mmrl.rollout.weights import PolicyWeights
from mmrl.runs.book_recording import BookRecording, read_recording
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve

SEED, EPOCH = 7, 3


def settings(**values: Any) -> Config:
    preset = values.pop("preset", None)
    return resolve({"market.nt": 300, "training.nb": 6, **values}, None, preset, {})[0]


def random_weights(config: Config) -> PolicyWeights:
    """A policy that nobody trained."""
    rng = np.random.default_rng(0)
    outputs = action_size(config)
    if config.policy.kind == "categorical":
        outputs = 2 * (len(config.policy.size_grid) + len(config.policy.delta_grid))
    inputs = observation_size(config)
    sizes = [(inputs, 8), (8, outputs)]
    layers = [(rng.normal(size=s).astype(np.float32), np.zeros(s[1], np.float32)) for s in sizes]
    head = np.full(outputs, -0.5, np.float32)
    return PolicyWeights(layers, head, np.zeros(inputs, np.float32), np.full(inputs, 20, np.float32))


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
def test_the_replay_is_the_trajectory_of_the_batch(values: dict[str, Any], steps: int) -> None:
    config = settings(**values)
    weights = random_weights(config)
    batch = rollout(config, weights, SEED, EPOCH, threads=1)
    number = 1 + int(batch.lengths[1:].argmax())
    replay = record_book(config, weights, SEED, EPOCH, number, steps)
    assert replay is not None
    every = -(-config.market.nt // steps)
    rows = batch.offsets[number] + np.arange(0, batch.lengths[number], every)
    assert len(rows) > 20
    for name in ("mid", "bid", "ask", "inventory", "wealth"):
        np.testing.assert_array_equal(getattr(replay, name), getattr(batch, name)[rows])
    np.testing.assert_array_equal(replay.step, batch.step[rows])
    np.testing.assert_allclose(replay.value, batch.value[rows], rtol=1e-12, atol=1e-9)
    tick = config.market.tick
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
    rules, p = diffusive.parameters(config.market)
    ladder = np.empty((rules[diffusive.R_LEVELS], 4), np.int64)
    lots = np.empty((diffusive.lot_capacity(rules), 3), np.int64)
    meta, account, state = np.zeros(book.META, np.int64), np.zeros(2, np.int64), np.empty(4, np.uint64)
    seed_stream(state, SEED, EPOCH, 2)
    mid = diffusive.seed(ladder, lots, meta, rules, p, state, account)
    traded = np.zeros(2, np.int64)  # bought, sold
    for k in range(len(replay.step)):
        diffusive.act(ladder, lots, meta, rules, p, account, mid, action)
        price, shares, own = replay.levels(k)
        level = price - int(p[diffusive.P_BASE])
        held = np.flatnonzero(ladder[:, book.TOTAL])
        np.testing.assert_array_equal(level, held)
        np.testing.assert_array_equal(np.abs(shares), ladder[held, book.TOTAL])
        np.testing.assert_array_equal(own, ladder[held, book.OWN])
        np.testing.assert_array_equal(shares > 0, held <= meta[book.BEST + book.BID])
        resting = meta[[book.SIDE_OWN + book.BID, book.SIDE_OWN + book.ASK]].copy()
        mid = diffusive.advance(ladder, lots, meta, rules, p, state, account, mid)
        traded += resting - meta[[book.SIDE_OWN + book.BID, book.SIDE_OWN + book.ASK]]
        upto = replay.fill_step <= k
        told = replay.fill_shares[upto]
        assert (told[told > 0].sum(), -told[told < 0].sum()) == tuple(traded)
    assert traded.min() > 0


def test_fills_make_up_inventory_and_cash() -> None:
    config = settings()
    weights = random_weights(config)
    replay = record_book(config, weights, SEED, EPOCH, 0)
    assert replay is not None and len(replay.fill_step) > 20
    for k in (1, 100, len(replay.step) - 1):
        before = replay.fill_step < replay.step[k]
        assert replay.fill_shares[before].sum() == replay.inventory[k]
        cash = -(replay.fill_shares[before] * replay.fill_price[before].astype(np.float64)).sum()
        assert cash == pytest.approx(replay.wealth[k], abs=0.01 * before.sum())


def test_a_book_of_many_changes_is_kept_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    config = settings()
    weights = random_weights(config)
    whole = record_book(config, weights, SEED, EPOCH, 1)
    real = np.full
    monkeypatch.setattr(
        "mmrl.rollout.recording.np.full", lambda shape, *rest: real((shape[0] // 40, 4), *rest)
    )  # less room than changes at first
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
