"""The exact optimum: by hand, against the simulated market, and against every other maker."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from mmrl.agents import agent
from mmrl.agents.exact import value_of
from mmrl.evaluate.grade import Grader
from mmrl.kernels.random import seed_stream
from mmrl.markets.contract import Objective, market_of, spec_of
from mmrl.markets.objective import objective_is_own, objective_of
from mmrl.markets.order_flow import optimum as solver
from mmrl.markets.order_flow.depletion import pace, rates
from mmrl.markets.order_flow.settings import Settings
from mmrl.rollout.compiled import rollout
from mmrl.rollout.makers import maker_of
from mmrl.rollout.quoters import Quoter, fixed, heuristic, learned, linear, observed, table
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve

LEAN = linear(((0.6, -0.3, 0.0), (0.0, 0.0, 0.0), (0.6, 0.3, 0.0), (0.0, 0.0, 0.0)))
"""Quotes the side that reduces its inventory, and both without any."""
NOTHING = fixed(0.0, 0.0, 0.0, 0.0)
PENALTY = {"reward.utility": "inventory-penalty", "reward.inventory_penalty": 0.01}
ONE_TABLE = {
    "market.queue_sizes": 0,
    "market.limit_rates": (0.8,),
    "market.cancel_rates": (0.5,),
    "market.market_rates": (1.0,),
}
CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "penalties and a rebate": {**PENALTY, "reward.final_penalty": 0.002, "market.maker_fee": -0.002},
    "three events a decision": {**PENALTY, "market.decision_events": 3, "market.nt": 25, "market.warm_up": 0.0},
    "CARA": {"reward.utility": "cara", "reward.risk_aversion": 30.0, "market.position_limit": 1},
    "queues without a bound": {**ONE_TABLE, "market.nt": 20, "market.position_limit": 1, "market.depth": 3},
    "market orders by the queue": {
        "market.market_law": "spread-queue",
        "market.market_intensity": (0.5, -3.0, 0.4, -0.9, 0.2, 0.7),
        "market.nt": 40,
    },
}
MAKERS = {"optimum": None, "naive": heuristic(), "one bid": fixed(1.0, 0.0, 0.0, 0.0), "lean": LEAN}


def config_of(**changed: Any) -> Config:
    """The small preset with changes by dotted key."""
    values = {key.replace("__", "."): value for key, value in changed.items()}
    return resolve(values, None, "order-flow-small", {})[0]


def game(config: Config) -> Settings:
    assert isinstance(config.market, Settings)
    return config.market


def exact(config: Config, quoter: Quoter) -> float:
    found = value_of(config, objective_of(config), quoter)
    assert found is not None
    return found


def z_score(config: Config, quoter: Quoter, seed: int = 5, count: int = 30_000) -> float:
    """How many standard errors the simulated market is away from the exact value."""
    batch, gamma = rollout(config, quoter, seed, 0, count=count, threads=1), objective_of(config).gamma
    if gamma:
        losses = np.exp(-gamma * batch.final_value)
        return float((math.exp(-gamma * exact(config, quoter)) - losses.mean()) / losses.std() * math.sqrt(count))
    scores = batch.segment_sum(batch.reward)
    return float((scores.mean() - exact(config, quoter)) / scores.std() * math.sqrt(count))


OFTEN = ("plain", "three events a decision")
"""Cases of every run of the tests."""


@pytest.mark.parametrize("case", [c if c in OFTEN else pytest.param(c, marks=pytest.mark.nightly) for c in CASES])
def test_the_simulated_market_pays_the_exact_value(case: str) -> None:
    config = config_of(**CASES[case])
    for name, maker in MAKERS.items():
        quoter = agent("optimum", config) if maker is None else maker
        assert abs(z_score(config, quoter)) < 4, name


# By hand: one order a side, no limit orders. The first event takes one of them, and the maker, who has joined both
# queues, stands alone there. In the second event it is filled with probability P, and the price moves against it.

MU, THETA, TICK = 1.5, 0.7, 0.01
SPEED = 2 * MU + THETA
P = MU / SPEED


def tiny(**changed: Any) -> Config:
    tables = {"queue_sizes": 1, "limit_rates": (1.0, 0.0), "cancel_rates": (0.0, THETA), "market_rates": (0.0, MU)}
    values = {**tables, "redraw_weights": (1.0,), "nt": 2, "position_limit": 1, "warm_up": 4.0}
    return config_of(**{f"market.{name}": value for name, value in values.items()}, **changed)


@pytest.mark.parametrize("rebate", [0.0, 0.003, 0.008])
def test_two_decisions_by_hand(rebate: float) -> None:
    config = tiny(market__maker_fee=-rebate)
    assert exact(config, heuristic()) == pytest.approx(P * (rebate - TICK / 2), abs=1e-12)
    solved = solver.optimum(game(config), Objective())
    assert solved.value == pytest.approx(P * max(rebate - TICK / 2, 0.0), abs=1e-12)
    assert exact(config, fixed(1.0, 0.0, 0.0, 0.0)) == pytest.approx(0.5 * P * (rebate - TICK / 2), abs=1e-12)
    assert exact(config, NOTHING) == 0.0


def test_objectives_by_hand() -> None:
    config, loss = tiny(), P * TICK / 2
    naive = heuristic()
    assert value_of(config, Objective(phi=0.3, alpha=0.02), naive) == pytest.approx(-loss - P * 0.02 - 0.3 * P / SPEED)
    gamma = 50.0
    expected = -math.log(1 - P + P * math.exp(gamma * TICK / 2)) / gamma
    assert value_of(config, Objective(gamma=gamma), naive) == pytest.approx(expected, rel=1e-12)
    assert value_of(config, Objective(gamma=1e-9), naive) == pytest.approx(-loss, rel=1e-6)


def test_three_decisions_by_hand() -> None:
    """Filled, the maker holds a share in a new book, joins again on one side, and sees one more event; else the second
    event has taken the other queue too, and the third fills one of the two orders that stand alone."""
    config = tiny(market__nt=3)
    alone_on_both = -TICK / 2
    # holding +1 it quotes the ask only: the price falls by a tick, or the others' ask goes, and their mid rises by half
    filled = -TICK / 2 + 0.5 * (-TICK) + 0.5 * (TICK / 2)
    assert exact(config, heuristic()) == pytest.approx(P * filled + (1 - P) * alone_on_both, abs=1e-12)


def test_pace_by_hand() -> None:
    """With one order a side, every event empties a queue."""
    assert pace(game(tiny())) == pytest.approx((2 * (MU + THETA), 2 * (MU + THETA)))


def test_pace_is_that_of_the_simulated_market() -> None:
    config = config_of(market__nt=300, market__warm_up=20.0)
    spec, batch = spec_of(config), rollout(config, NOTHING, 3, 0, count=1000, threads=1)
    assert batch.final_time.mean() == pytest.approx(spec.end_time, rel=0.01)
    moves = batch.final_mid - game(config).midprice
    start = batch.mid[batch.offsets[:-1]] - game(config).midprice
    assert np.std(moves - start) == pytest.approx(spec.volatility * spec.end_time**0.5, rel=0.08)


def test_the_warm_up_has_its_law() -> None:
    """Chances of the queues with which the maker begins, after less than an event on average."""
    limit = (0.0, 9.0, 2.0, 0.4, 0.2, 0.0)
    config, count = config_of(market__warm_up=0.15, market__limit_rates=limit), 40_000
    chain = solver.Chain(game(config), 0.0)
    seen = rollout(config, NOTHING, 8, 0, count=count, threads=1).observation[:: config.market.nt, 2:4]
    for n in itertools.product(range(1, 6), range(1, 6)):
        here = np.zeros((len(chain.held), *chain.speed.shape))
        here[:, chain.side.alone[n[0]], chain.side.alone[n[1]]] = 1.0
        chance = chain.start(here, game(config).warm_up)
        found = (seen == n).all(1).mean()
        assert found == pytest.approx(chance, abs=4 * math.sqrt(chance * (1 - chance) / count)), n


def test_the_spread_is_one_tick_on_a_tape_with_makers_that_come_and_go() -> None:
    config = config_of(market__nt=7)
    stream = np.empty(4, np.uint64)
    seed_stream(stream, 3, 0, 0)
    maker = maker_of(config, heuristic())
    tape = market_of(config).tape
    assert tape is not None
    pieces = list(itertools.islice(tape.messages(config.market, stream, 1, maker), 1_000))
    ask, asked, bid, bidden = np.concatenate([piece.levels for piece in pieces]).T
    whole = (np.concatenate([piece.kind for piece in pieces]) == 1) & (asked > 0) & (bidden > 0)
    assert whole.sum() > 5_000 and sum((piece.owner == 1).sum() for piece in pieces) > 500
    assert ((ask - bid)[whole] == 1).all()


# The optimum.


def test_no_other_maker_is_better() -> None:
    config = config_of()
    best = solver.optimum(game(config), Objective())
    assert exact(config, agent("optimum", config)) == pytest.approx(best.value, rel=1e-12)
    sizes = itertools.product((0.2, 0.5, 0.8), (-0.4, -0.2, 0.0, 0.2), (-0.3, 0.3))
    rules = [linear(((a, b, c), (0, 0, 0), (a, -b, c), (0, 0, 0))) for a, b, c in sizes]
    for quoter in [heuristic(), NOTHING, fixed(1, 0, 0, 0), fixed(0, 0, 1, 0), *rules]:
        value = value_of(config, Objective(), quoter)
        assert value is None or value < 0.8 * best.value


def test_every_change_of_the_optimum_costs() -> None:
    """Other choices at random in some states, at some times."""
    config, rng = config_of(market__nt=30), np.random.default_rng(2)
    best = solver.optimum(game(config), Objective())
    for share in (0.001, 0.1):
        changed = rng.random(best.choices.shape) < share
        other = np.where(changed, rng.integers(0, 4, best.choices.shape), best.choices).astype(np.uint8)
        quoter = observed(*solver.table(game(config), solver.Solution(0.0, other)))
        assert exact(config, quoter) < best.value - 1e-7


def test_the_choices_make_sense() -> None:
    """Far from the end, without inventory: the maker joins both short queues, and leaves a price that others have left
    while the other side is long, for the next order would fill it and move the price against it."""
    config = config_of()
    side = solver.Side(rates(game(config)))
    choice = solver.optimum(game(config), Objective()).choices[10]
    flat, long, short = choice[2], choice[4], choice[0]
    alone = int(np.flatnonzero((side.others == 0) & (side.own == 1))[0])
    assert flat[side.alone[1], side.alone[1]] == 3
    assert flat[alone, side.alone[5]] & 1 == 0 and flat[side.alone[5], alone] & 2 == 0
    assert not (long & 1).any() and not (short & 2).any()
    assert long[side.alone[3], side.alone[3]] == 2 and short[side.alone[3], side.alone[3]] == 1


def test_bid_and_ask_are_alike() -> None:
    """The mirrored choices are worth as much; only ties are broken otherwise."""
    config = config_of()
    best = solver.optimum(game(config), Objective())
    mirrored = np.array([0, 2, 1, 3], np.uint8)[best.choices[:, ::-1].transpose(0, 1, 3, 2)]
    quoter = observed(*solver.table(game(config), solver.Solution(0.0, mirrored)))
    assert exact(config, quoter) == pytest.approx(best.value, rel=1e-12)
    assert (mirrored == best.choices).mean() > 0.99


def test_what_the_end_pays_can_be_given() -> None:
    config = config_of(market__nt=40)
    chain = solver.Chain(game(config), 0.0)
    free = solver.ending(game(config), Objective(), chain)
    best = solver.optimum(game(config), Objective()).value
    assert solver.optimum(game(config), Objective(), free + 1.0).value == pytest.approx(best + 1.0)
    charged = solver.optimum(game(config), Objective(), free - 0.005 * abs(chain.held)[:, None, None]).value
    forbidden = solver.optimum(game(config), Objective(), free - 100.0 * abs(chain.held)[:, None, None]).value
    assert 0 <= forbidden < charged < best


def test_longer_queues_change_nothing() -> None:
    market = game(config_of(**CASES["queues without a bound"]))
    longest = rates(market).longest
    values = [solver.optimum(market, Objective(), longest=n).value for n in (longest, longest + 6)]
    assert values[0] == pytest.approx(values[1], rel=1e-10)


# Learned policies, and what is not solved.


def network(config: Config) -> Any:
    from mmrl.learn.normaliser import RunningNormaliser
    from mmrl.learn.policy import make_policy

    policy, noise = make_policy(config, seed=4), np.random.default_rng(4)
    policy.numbers[:] = 2.0 * policy.numbers + 0.3 * noise.normal(size=policy.numbers.shape)
    return policy, RunningNormaliser(len(spec_of(config).columns))


@pytest.mark.parametrize("deterministic", [True, False])
def test_a_network_is_worth_what_it_earns(deterministic: bool) -> None:
    config = config_of(market__nt=40)
    policy, normaliser = network(config)
    assert abs(z_score(config, learned(policy.weights(normaliser), deterministic))) < 4


def test_the_grade_is_exact() -> None:
    config = config_of(market__nt=40)
    policy, normaliser = network(config)
    grade = Grader(config).grade(policy, normaliser)
    best = solver.optimum(game(config), Objective()).value
    assert grade.scores is None
    assert grade.value == exact(config, learned(policy.weights(normaliser), True))
    assert grade.optimality == pytest.approx(grade.value / best)


def test_a_table_by_inventory_is_valued() -> None:
    config = config_of(market__nt=40)
    actions = np.zeros((4, 3, 4))
    actions[:2, :, 0] = actions[:, :2, 2] = 1.0
    assert abs(z_score(config, table(actions))) < 4


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"market.horizons": (1.0,)}, "market.horizons = [] only, not [1.0]"),
        ({"market.size_grid": (0, 1, 2)}, "market.size_grid = [0, 1] only, not [0, 1, 2]"),
        ({"market.latency_law": "constant"}, "market.latency_law = 'none' only, not 'constant'"),
        ({"market.cancel_rates": (0.0,) * 5 + (0.01,), "market.limit_rates": (0.0,) + (9.0,) * 5}, "longer than 30"),
        ({"market.nt": 50_000}, "lower market.nt"),
    ],
)
def test_what_is_not_solved_says_why(changed: dict[str, Any], reason: str) -> None:
    config = config_of(**changed)
    assert not spec_of(config).exact_states
    with pytest.raises(ConfigError, match="needs a market that can be solved") as refusal:
        agent("optimum", config)
    assert reason in str(refusal.value) and "\n" not in str(refusal.value)
    with pytest.raises(ValueError, match="order-flow cannot be solved"):
        solver.optimum(game(config), Objective())


def test_the_usual_market_is_not_solved() -> None:
    config = resolve({"market.name": "order-flow"})[0]
    with pytest.raises(ConfigError, match=r"solved with market\.depletion = 'redraw' only, not 'next-price'"):
        agent("optimum", config)


def test_objectives_that_are_not_solved() -> None:
    market = game(config_of())
    with pytest.raises(ValueError, match="set one of them to 0"):
        solver.optimum(market, Objective(gamma=1.0, phi=1.0))
    assert not objective_is_own(config_of(**{"reward.utility": "entropic"}))
    assert market_of(config_of()).optimum is solver


def test_what_is_not_on_the_menu_has_no_exact_value() -> None:
    config = config_of()
    assert value_of(config, Objective(), fixed(2.0, 0.0, 0.0, 0.0)) is None
