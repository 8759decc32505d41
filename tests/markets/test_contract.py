"""What every market promises to everybody outside its folder: run on the markets of mmrl, on every market that other
packages have registered here, and on the toy market of the tests."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from mmrl.agents import agent, agents_of
from mmrl.kernels.account import FLOWS
from mmrl.markets.contract import Market, market_named, spec_of
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import Quoter, heuristic
from mmrl.rollout.trajectories import PER_STEP, PER_TRAJECTORY, Trajectories
from mmrl.rollout.weights import PolicyWeights
from mmrl.settings.fields import FieldSpec, fields, values_of
from mmrl.settings.model import GROUPS, Config
from mmrl.settings.registry import markets, packages, settings_class
from mmrl.settings.sources import presets, read_preset, resolve
from tests.toy.register import environment, install_toy, registered

NAMES = (*markets(), "toy")
ENDING_EARLY: dict[str, dict[str, Any]] = {
    "book": {"market.book_size": 40, "market.volatility": 0.5},
    "toy": {"market.limit": 1},
}
"""Settings under which the markets that can terminate an episode often do."""
NARROW: dict[str, dict[str, Any]] = {"book": {"market.seed_spread": 1.0, "market.book_size": 500}}
"""Settings under which a market takes the tensor engine little time on a CPU: here few levels of the book."""
ONE_MOVE: dict[str, dict[str, Any]] = {"order-flow": {"market.decide_by": "events", "market.decision_events": 1}}
"""Settings under which the mid of a market that can move often moves once a step at most, after its trades."""
REQUIRED = ("__init__.py", "README.md", "settings.py", "spec.py", "dynamics.py", "kernel.py")


@pytest.fixture(scope="module", params=NAMES)
def name(request: pytest.FixtureRequest) -> Iterator[str]:
    """A market's name; the toy is there only while its tests run."""
    if request.param in markets():
        yield request.param
    else:
        with registered():
            yield request.param


@pytest.fixture(scope="module", params=["usual", "ending early"])
def config(request: pytest.FixtureRequest, name: str) -> Config:
    """A short game in the market."""
    more = ENDING_EARLY.get(name) if request.param == "ending early" else {}
    if more is None:
        pytest.skip(f"{name} does not terminate episodes")
    return resolve({"market.name": name, "market.nt": 150, "training.nb": 40, **more})[0]


@pytest.fixture(scope="module")
def batch(config: Config) -> Trajectories:
    return rollout(config, policy(config), seed=3, epoch=1, threads=1).validate()


def policy(config: Config) -> PolicyWeights:
    """A random policy that quotes about what the market thinks usual."""
    rng, spec = np.random.default_rng(5), spec_of(config)
    obs, axes = len(spec.columns), len(spec.axes)
    sizes = ((obs, 8), (8, axes))
    layers = [(rng.normal(0, 0.2, shape).astype(np.float32), np.zeros(shape[1], np.float32)) for shape in sizes]
    scale = np.ones(obs, np.float32)
    return PolicyWeights(layers, np.full(axes, -0.5, np.float32), 0 * scale, scale)


def changed(config: Config, settings: dict[str, Any]) -> bool:
    """Whether the config was made with these settings."""
    values = values_of(config)
    return bool(settings) and all(values[key] == value for key, value in settings.items())


def folder_of(name: str) -> Path:
    found = find_spec(packages()[name])
    assert found is not None and found.submodule_search_locations
    return Path(next(iter(found.submodule_search_locations)))


def close(a: Any, b: Any, config: Config) -> None:
    """Equal but for rounding: money is counted in prices times shares."""
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * spec_of(config).price * 1000)


# What it records.


def test_shapes_are_as_declared(config: Config, batch: Trajectories) -> None:
    spec = spec_of(config)
    assert batch.observation.shape == (batch.nnz, len(spec.columns))
    assert batch.last_observation.shape == (batch.count, len(spec.columns))
    assert batch.action.shape == (batch.nnz, len(spec.axes))
    assert batch.nnz > 0 and batch.lengths.max() <= spec.steps
    assert all(np.isfinite(getattr(batch, column)).all() for column in (*PER_STEP, *FLOWS, *PER_TRAJECTORY))


def test_columns_hold_what_their_roles_say(config: Config, batch: Trajectories) -> None:
    spec = spec_of(config)
    held, left = spec.column_of("inventory"), spec.column_of("time left")
    if held is not None:  # the policy sees it as it is, but bounded
        assert np.array_equal(batch.observation[:, held], np.clip(batch.inventory, -10, 10))
    if left is not None:
        share = batch.observation[:, left]
        assert (share[batch.step == 0] == 1).all() and (share > 0).all()
        assert (np.diff(share)[np.diff(batch.step) > 0] < 0).all()


def test_value_is_cash_and_inventory_at_the_mid(config: Config, batch: Trajectories) -> None:
    close(batch.value, batch.cash + batch.inventory * batch.mid, config)
    close(batch.final_value, batch.final_cash + batch.final_inventory * batch.final_mid, config)


def test_shares_and_money_are_conserved(config: Config, batch: Trajectories) -> None:
    assert (batch.bought >= 0).all() and (batch.sold >= 0).all() and (batch.bought + batch.sold).any()
    assert np.array_equal(batch.bought - batch.sold, batch.after("inventory") - batch.inventory)
    close(batch.received - batch.paid, batch.after("cash") - batch.cash, config)
    assert (batch.paid[batch.bought == 0] == 0).all() and (batch.received[batch.sold == 0] == 0).all()


def test_the_change_of_value_is_revaluation_and_trading_profit(config: Config, batch: Trajectories) -> None:
    """dV = revaluation + (received - paid) + sum of the shares bought times the mid at which each was."""
    if config.market.name in ONE_MOVE:
        values = {"market.nt": 150, "training.nb": 40, **ONE_MOVE[config.market.name]}
        config = resolve({"market.name": config.market.name, **values})[0]
        batch = rollout(config, policy(config), seed=3, epoch=1, threads=1)
    change, flow = batch.after("value") - batch.value, batch.received - batch.paid
    idle = (batch.bought == 0) & (batch.sold == 0)
    assert idle.any() and not idle.all()
    close(batch.revaluation[idle], change[idle], config)
    close(batch.revaluation[idle], (batch.inventory * (batch.after("mid") - batch.mid))[idle], config)
    at_mid = change - batch.revaluation - flow
    low, high = np.minimum(batch.mid, batch.after("mid")), np.maximum(batch.mid, batch.after("mid"))
    slack = 1e-9 * spec_of(config).price * 1000
    assert (at_mid >= batch.bought * low - batch.sold * high - slack).all()
    assert (at_mid <= batch.bought * high - batch.sold * low + slack).all()


def test_time_rises_from_zero_to_the_end(config: Config, batch: Trajectories) -> None:
    assert (batch.time[batch.step == 0] == 0).all()
    assert (batch.after("time") > batch.time).all()
    assert np.array_equal(batch.after("time")[batch.offsets[1:] - 1], batch.final_time)


def test_an_episode_is_as_long_as_the_market_says(config: Config, batch: Trajectories) -> None:
    spec = spec_of(config)
    assert (batch.lengths[~batch.terminated] == spec.steps).all()
    if changed(config, ENDING_EARLY.get(config.market.name, {})):
        assert batch.terminated.any() and (batch.lengths[batch.terminated] < spec.steps).any()
    whole = batch.final_time[batch.lengths == spec.steps]
    if len(whole) > 10:  # steps of random length add up to T on average only
        assert whole.mean() == pytest.approx(spec.end_time, rel=0.1)


def test_bid_and_ask_enclose_the_mid(config: Config, batch: Trajectories) -> None:
    if all(axis.low >= 0 for axis in spec_of(config).axes if axis.kind == "distance"):
        assert (batch.bid <= batch.mid).all() and (batch.mid <= batch.ask).all()


# On what it may not depend.


def test_neither_threads_nor_batches_change_anything(config: Config, batch: Trajectories) -> None:
    quoter = policy(config)
    threaded = rollout(config, quoter, seed=3, epoch=1, threads=3)
    parts = [rollout(config, quoter, 3, 1, first=a, count=n, threads=1) for a, n in ((0, 7), (7, 33))]
    for column in (*PER_STEP, *FLOWS, *PER_TRAJECTORY):
        whole = getattr(batch, column)
        assert np.array_equal(whole, getattr(threaded, column)), column
        assert np.array_equal(whole, np.concatenate([getattr(part, column) for part in parts])), column


def test_seed_and_epoch_change_the_numbers(config: Config, batch: Trajectories) -> None:
    for seed, epoch in ((4, 1), (3, 2)):
        other = rollout(config, policy(config), seed=seed, epoch=epoch, threads=1)
        assert not np.array_equal(batch.final_mid, other.final_mid)


def test_both_engines_follow_one_law(name: str) -> None:
    pytest.importorskip("torch")
    if market_named(name).tensor is None:
        pytest.skip(f"{name} has no tensor.py")
    from mmrl.learn.normaliser import RunningNormaliser
    from mmrl.learn.policy import make_policy
    from mmrl.rollout.tensor import TensorEngine

    config = resolve({"market.name": name, "market.nt": 40, "training.nb": 250, **NARROW.get(name, {})})[0]
    policy, normaliser = make_policy(config), RunningNormaliser(len(spec_of(config).columns))
    tensor = TensorEngine(config).rollout(policy, normaliser, 1, 1).numpy()
    compiled = rollout(config, policy.weights(normaliser), 2, 1, threads=1)
    for what, measure in MEASURES.items():
        found = stats.ks_2samp(measure(compiled), measure(tensor))
        assert found.pvalue > 1e-3, f"{what}: {found}"


MEASURES = {
    "length": lambda b: b.lengths,
    "end": lambda b: b.final_time,
    "value": lambda b: b.final_value,
    "inventory": lambda b: b.final_inventory,
    "mid": lambda b: b.final_mid,
    "bought": lambda b: b.segment_sum(b.bought),
    "sold": lambda b: b.segment_sum(b.sold),
    "revaluation": lambda b: b.segment_sum(b.revaluation),
    "reward": lambda b: b.segment_sum(b.reward),
    "spread": lambda b: b.segment_mean(b.ask - b.bid),
    "first observation": lambda b: b.observation[b.step == 30].sum(1),
}
"""Of each trajectory one number."""


# What it says of itself.


def test_default_settings_are_valid_and_its_own(name: str) -> None:
    settings = settings_class(name)()
    assert settings.name == name
    assert Config(market=settings).market == settings


def test_the_spec_is_complete(name: str) -> None:
    settings = settings_class(name)()
    spec = Market(name).spec(settings)
    assert spec.name == name and spec.short and spec.time_unit and len(spec.short) <= 6
    assert spec.steps >= 1 and spec.end_time > 0 and spec.price > 0 and spec.volatility >= 0
    assert len({column.name for column in spec.columns}) == len(spec.columns) >= 1
    assert len({axis.name for axis in spec.axes}) == len(spec.axes) >= 1
    assert all(axis.scale > 0 and axis.grid for axis in spec.axes)
    assert set(spec.parameters) <= set(type(settings).model_fields)
    assert spec.exact_optimum <= (Market(name).optimum is not None)
    assert ("book" in spec.tabs) == (Market(name).recording is not None)


@pytest.mark.nightly
def test_the_agents_that_it_names_can_play(name: str) -> None:
    config = resolve({"market.name": name, "market.nt": 40, "training.nb": 4})[0]
    spec = spec_of(config)
    assert set(spec.usual_agents) <= set(agents_of(config))
    for kind in agents_of(config):
        quoter: Quoter = agent(kind, config)
        assert rollout(config, quoter, 0, 0, threads=1).nnz > 0
    if spec.heuristic:
        assert rollout(config, heuristic(), 0, 0, threads=1).nnz > 0
    else:
        with pytest.raises(ValueError, match="no simple maker"):
            rollout(config, heuristic(), 0, 0, threads=1)


def test_the_folder_has_the_files_of_the_contract(name: str) -> None:
    folder = folder_of(name)
    assert [file for file in REQUIRED if not (folder / file).is_file()] == []
    assert len((folder / "README.md").read_text().split()) > 80


def test_its_presets_are_of_this_market(name: str) -> None:
    for preset in (folder_of(name) / "presets").glob("*.toml"):
        assert preset.stem in presets()
        assert read_preset(preset.stem).get("market.name", markets()[0]) == name
        assert resolve({}, None, preset.stem, {})[0].market.name == name


def test_every_setting_has_a_help_and_a_sound_default(name: str) -> None:
    for spec in fields(name):
        assert spec.help and not spec.help.endswith("."), spec.key
        assert spec.kind not in ("int", "float") or spec.bounds or spec.key == "run.seed", f"{spec.key} has no bounds"


def test_flags_mean_one_thing(name: str) -> None:
    """A flag belongs to one setting; markets that share a setting mean the same by it."""
    everywhere = (*markets(),) if name in markets() else (*markets(), name)
    owners: dict[str, str] = {}
    for spec in (spec for market in everywhere for spec in fields(market)):
        for flag in (*spec.flags, *spec.switches):
            assert owners.setdefault(flag, spec.key) == spec.key, f"{flag}: {owners[flag]} and {spec.key}"
    for one, other in combinations(everywhere, 2):
        theirs = {spec.key: spec for spec in fields(other)}
        for spec in fields(one):
            if spec.key in theirs and spec.group == "market":
                assert spec.flags == theirs[spec.key].flags, spec.key
                assert meaning(spec) == meaning(theirs[spec.key]), f"{spec.key}: {one} and {other}"


def meaning(spec: FieldSpec) -> list[str]:
    """The first two words of the help, which say what it is."""
    return spec.help.replace(":", "").split()[:2]


def test_settings_and_spec_load_neither_numba_nor_torch(name: str, tmp_path: Path) -> None:
    """Forms, lists and help pages ask them, and must be there at once."""
    install_toy(tmp_path)
    code = (
        "import sys; from mmrl.settings.registry import settings_class; from mmrl.markets.contract import Market\n"
        f"Market({name!r}).spec(settings_class({name!r})())\n"
        "print(sorted({'numba', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "[]\n", "")


def test_settings_stand_in_the_groups_of_a_config() -> None:
    assert set(GROUPS) == set(Config.model_fields)
