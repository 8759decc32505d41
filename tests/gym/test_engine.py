"""One step at a time: to the last bit the trajectories of the compiled engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mmrl.gym.engine import Engine
from mmrl.gym.kernel import DISABLED, NEXT_STEP, SAME_STEP, Outcome
from mmrl.markets.contract import spec_of
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import Quoter, linear
from mmrl.rollout.streams import stream_seed
from mmrl.rollout.trajectories import Trajectories
from mmrl.rollout.weights import PolicyWeights
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config
from tests.toy.register import registered

SEED = 11
CONFIGS: dict[str, dict[str, Any]] = {
    "game": {"preset": "avellaneda-stoikov", "nt": 30, "nb": 12},
    "game, bernoulli": {
        "preset": "avellaneda-stoikov",
        "nt": 30,
        "nb": 12,
        "fill": "linear",
        "arrival": 20.0,
        "start_inventory": 0,
    },
    "book": {"preset": "quickstart", "nt": 60, "nb": 8, "book_size": 100, "volatility": 0.2},
    "book, lineage": {"preset": "lineage", "nt": 60, "nb": 8, "book_size": 50},
}
FLOW: dict[str, Any] = {"preset": "order-flow-fast", "nt": 200, "nb": 3}


def config_of(name: str) -> Config:
    settings = dict({**CONFIGS, "order flow": FLOW}[name])
    return Config.of(settings.pop("preset"), **settings, threads=1)


def identity(config: Config) -> PolicyWeights:
    """Of a policy that sees its observations as they are."""
    spec = spec_of(config)
    obs, axes = len(spec.columns), len(spec.axes)
    rng = np.random.default_rng(0)
    layers = [(rng.normal(0, 1e-3, (obs, axes)).astype(np.float32), rng.normal(0, 0.1, axes).astype(np.float32))]
    return PolicyWeights(layers, np.zeros(axes, np.float32), np.zeros(obs, np.float32), np.ones(obs, np.float32))


def reference(config: Config, quoter: Quoter) -> Trajectories:
    return rollout(config, quoter, stream_seed(SEED, "market"), 0)


def replayed(config: Config, batch: Trajectories, units: str) -> None:
    """Play the actions of a batch in the engine of steps and compare everything that both know."""
    n, spec = batch.count, spec_of(config)
    engine = Engine(config, n, units, DISABLED)
    engine.seed(SEED)
    engine.reset()
    lengths = np.diff(batch.offsets)
    reward = np.zeros(batch.nnz)
    for t in range(spec.steps):
        alive = t < lengths
        rows = batch.offsets[:-1][alive] + t
        if not alive.any():
            break
        before = {"inventory": engine.outcome.inventory, "mid": engine.outcome.mid}
        for name, column in before.items():
            assert np.array_equal(getattr(batch, name)[rows], column[alive]), (name, t)
        # the kernel rounds W + I S once, who forms it of the columns of a batch twice
        cash, held = batch.cash[rows], batch.inventory[rows] * batch.mid[rows]
        assert (abs(cash + held - engine.outcome.wealth[alive]) <= 2e-16 * (abs(cash) + abs(held))).all(), t
        clipped = np.clip(engine.observation[alive], -10, 10)
        assert np.array_equal(batch.observation[rows], clipped), t
        action = np.zeros((n, len(spec.axes)), np.float32 if units == "policy" else np.float64)
        action[alive] = batch.action[rows]
        out = engine.step(action)
        reward[rows] = out.reward[alive]
        ended = engine.copies.over & alive
        assert np.array_equal(ended, alive & (t + 1 == lengths)), t
        assert np.array_equal(out.wealth[ended], batch.final_value[ended])
        assert np.array_equal(out.inventory[ended], batch.final_inventory[ended])
        assert np.array_equal(np.clip(engine.observation[ended], -10, 10), batch.last_observation[ended])
    assert np.array_equal(reward, batch.reward)


def check(name: str) -> None:
    config = config_of(name)
    policy = Quoter("learned", identity(config), deterministic=True)
    batch = reference(config, policy)
    replayed(config, batch, "policy")
    rule = linear((a.centre, 0.01 * a.scale * (-1) ** k, 0.05 * a.scale) for k, a in enumerate(spec_of(config).axes))
    batch = reference(config, rule)
    assert np.ptp(batch.inventory) > 1 and np.ptp(batch.mid) > 0
    exact = batch.inventory.astype(np.float64), 1.0 - batch.step / spec_of(config).steps
    action = np.stack([c + s * exact[0] + u * exact[1] for c, s, u in rule.linear], axis=1)  # float64, not rounded
    object.__setattr__(batch, "action", action)
    replayed(config, batch, "market")


@pytest.mark.parametrize("name", ["game", "game, bernoulli"])
def test_trajectories_are_those_of_the_compiled_engine(name: str) -> None:
    check(name)


@pytest.mark.nightly
@pytest.mark.parametrize("name", ["book", "order flow"])
def test_so_are_those_of_larger_markets(name: str) -> None:
    check(name)


@pytest.mark.nightly
def test_a_discarded_step_ends_an_episode_without_a_trace() -> None:
    """Lineage: the step that empties the book is no row; its final reward stands with the step before."""
    config = config_of("book, lineage")
    batch = reference(config, linear([(5.0, 0.0, 0.0), (0.1, 0.0, 0.0)] * 2))
    n, lengths = batch.count, np.diff(batch.offsets)
    engine = Engine(config, n, "market", DISABLED)
    engine.seed(SEED)
    engine.reset()
    total, over, action = np.zeros(n), np.zeros(n, bool), np.tile([5.0, 0.1, 5.0, 0.1], (n, 1))
    for t in range(config.market.nt):
        out = engine.step(action)
        total += np.where(over, 0, out.reward)
        early = out.terminated & ~over & (t + 1 < config.market.nt)
        assert np.array_equal(lengths[early], np.full(early.sum(), t))  # the discarded step is not counted there
        assert np.array_equal(out.wealth[early], batch.final_value[early])
        over |= engine.copies.over
    np.testing.assert_allclose(total, batch.segment_sum(batch.reward), rtol=1e-12)


@pytest.fixture(scope="module")
def toy() -> Iterator[Config]:
    with registered():
        yield Config.of(market="toy", nt=25, nb=6, limit=2, threads=1)


@pytest.mark.nightly
def test_a_market_of_another_package(toy: Config) -> None:
    """Its state is one record, its episodes end when it holds too much."""
    policy = Quoter("learned", identity(toy), deterministic=True)
    batch = reference(toy, policy)
    assert len(set(np.diff(batch.offsets))) > 1
    replayed(toy, batch, "policy")


def play(engine: Engine, steps: int) -> list[Any]:
    """The observation at the start, then all that comes out of some steps with actions that are always the same."""
    engine.reset()
    rows: list[Any] = [(engine.observation.copy(), engine.outcome)]
    for _ in range(steps):
        out = engine.step(np.full((engine.count, 2), 0.1))
        rows.append((engine.observation.copy(), Outcome(*(column.copy() for column in out))))
    return rows


def test_episodes_follow_each_other() -> None:
    """Copy i of N plays trajectories i, i + N, ...; begun anew in the same step, or in one more."""
    config = Config.of("avellaneda-stoikov", nt=5, start_inventory=10, threads=1)
    kinds = ((4, DISABLED), (2, SAME_STEP), (2, NEXT_STEP))
    alone, same, later = (Engine(config, count, autoreset=mode) for count, mode in kinds)
    for engine in (alone, same, later):
        engine.seed(SEED)
    episodes, one, two = play(alone, 5), play(same, 10), play(later, 11)
    assert len({float(episodes[5][1].wealth[i]) for i in range(4)}) > 2
    for i in range(2):
        for t in range(1, 6):
            assert one[t][1].reward[i] == two[t][1].reward[i] == episodes[t][1].reward[i]
            assert two[t][1].wealth[i] == episodes[t][1].wealth[i]
            assert one[t + 5][1].reward[i] == two[t + 6][1].reward[i] == episodes[t][1].reward[i + 2]
        assert one[5][1].terminated[i] and two[5][1].terminated[i] and not two[6][1].terminated[i]
        assert np.array_equal(one[5][0][i], episodes[0][0][i + 2])  # the first observation of the next episode
        assert np.array_equal(one[5][1].last_raw[i], episodes[5][0][i])  # the last one of this
        assert one[5][1].last_wealth[i] == episodes[5][1].wealth[i]
        assert np.array_equal(two[5][0][i], episodes[5][0][i])
        assert np.array_equal(two[6][0][i], episodes[0][0][i + 2]) and two[6][1].reward[i] == 0.0


def test_threads_change_nothing() -> None:
    config = Config.of("avellaneda-stoikov", nt=7)
    engines = [Engine(config.but(threads=threads), 300) for threads in (1, 2)]
    assert [engine.threads for engine in engines] == [1, 2]
    for engine in engines:
        engine.seed(3)
    for a, b in zip(*(play(engine, 20) for engine in engines), strict=True):
        assert np.array_equal(a[0], b[0])
        assert all(np.array_equal(x, y) for x, y in zip(a[1], b[1], strict=True))


def test_time_that_runs_out_ends_or_cuts() -> None:
    for limit, flags in (("ends", (True, False)), ("cuts", (False, True))):
        engine = Engine(Config.of("avellaneda-stoikov", nt=3, time_limit=limit, threads=1), 1)
        engine.seed(0)
        rows = play(engine, 3)
        assert [(bool(out.terminated[0]), bool(out.truncated[0])) for _, out in rows[1:]] == [(False, False)] * 2 + [
            flags
        ]


def test_units_of_actions() -> None:
    """Distances 1 + 2 a by hand: delta_centre 1.5 and delta_scale 3 over k = 1.5."""
    config = Config.of("avellaneda-stoikov", skew="none", delta_centre=1.5, delta_scale=3.0, k=1.5, nt=3, threads=1)
    for units, action, distance in (
        ("market", 0.4, 0.4),
        ("policy", 0.25, 1.5),
        ("scaled", 0.25, 1 + 3 * 2 * 0.25),
        ("choices", 7, 8 / 8 / 1.5),
    ):
        engine = Engine(config, 1, units)
        engine.seed(0)
        engine.reset()
        engine.step(np.array([[action, action]]))
        assert engine._orders.quote.tolist() == [[pytest.approx(distance)] * 2], units


def test_what_cannot_be_is_refused() -> None:
    config = Config.of("avellaneda-stoikov")
    for count, units, words in (
        (0, "scaled", "num_envs = 0"),
        (10**12, "scaled", "lower num_envs"),
        (1, "x", "action_units = 'x'"),
    ):
        with pytest.raises(ConfigError, match=words):
            Engine(config, count, units)
    engine = Engine(config, 2, "choices")
    for seed in (-1, [1], [1, -1]):
        with pytest.raises(ValueError, match="a seed is a number >= 0"):
            engine.seed(seed)
    engine.seed(0)
    engine.reset()
    for wrong in ([[0, 0], [0, 25]], [[0, 0], [-1, 0]], [[0, 0], [np.nan, 0]], [0, 0]):
        with pytest.raises(ValueError, match="actions must be"):
            engine.step(np.array(wrong))
    scaled = Engine(config, 2)
    scaled.reset()
    with pytest.raises(ValueError, match="actions must be finite numbers"):
        scaled.step(np.array([[0.0, np.nan], [0.0, 0.0]]))
