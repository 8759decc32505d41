"""That both sides of the order flow follow one law, so that mirrored rows may be learned from."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mmrl.learn.mirror import is_mirrored, other_side, seen_from_the_other_side
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.markets.contract import spec_of
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import linear
from mmrl.settings.build import build
from mmrl.settings.model import Config

COUNT = 600
ALL_KINDS = {"hawkes_decays": [1.0], "hawkes_kinds": "all", "hawkes_matrix": [0.1] * 9 + [0.05] * 9}
CHANGES = {
    "plain": {},
    "two quotes, market orders, informed": {
        "quotes": 2, "actions": "limit+market", "efficient_price": "random-walk", "informed": 0.5,
    },
    "all informed": {"efficient_price": "random-walk", "informed": 1.0, "informed_orders": "all"},
    "sizes, excitation, latency": {
        "size_law": "geometric", "limit_size": 2.0, "latency_law": "exponential", "latency": 0.1, **ALL_KINDS,
    },
}  # fmt: skip


def config_of(**market: Any) -> Config:
    given = {"name": "order-flow", "nt": 12, "warm_up": 3.0, "levels": 6, "position_limit": 4, **market}
    return build({"market": given, "reward": {"utility": "linear"}})


def played(config: Config, rules: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean total reward of each trajectory [N], and the observations' means over its steps [N, columns]."""
    batch = rollout(
        config, linear((float(a), float(b), float(c)) for a, b, c in rules), seed, 0, count=COUNT, threads=1
    )
    return np.asarray(batch.segment_sum(batch.reward)), np.add.reduceat(
        batch.observation.astype(np.float64), batch.offsets[:-1]
    ) / 12


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Difference of the means in standard errors; rows are independent."""
    spread = np.sqrt((a.var(axis=0) + b.var(axis=0)) / len(a))
    return np.abs(a.mean(axis=0) - b.mean(axis=0)) / np.maximum(spread, 1e-9)


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
def test_the_maker_with_its_sides_exchanged_earns_and_sees_the_same(changes: dict[str, Any]) -> None:
    config = config_of(**changes)
    spec = spec_of(config)
    rules = np.array(
        [
            {"size": (2.0, -0.5, 0.0), "distance": (0.0, 0.0, 0.0), "market order": (0.4, 0.0, 0.3)}[axis.kind]
            if axis.side == "bid"
            else {"size": (1.0, 0.2, 0.0), "distance": (0.01, 0.0, 0.0), "market order": (0.0, 0.1, 0.0)}[axis.kind]
            for axis in spec.axes
        ]
    )
    image = rules[other_side(spec)] * [1.0, -1.0, 1.0]
    (earned, seen), (earned_too, seen_too) = played(config, rules, 1), played(config, image, 2)
    assert distance(earned, earned_too) < 4.0
    nothing = RunningNormaliser(len(spec.columns))

    exchanged = seen_from_the_other_side(seen, spec, nothing)
    assert distance(exchanged, seen_too).max() < 4.5
    far = distance(seen, seen_too)  # unless columns are exchanged, the maker sees something else
    for column in ("inventory", "own bid" + (" 1" if "quotes" in changes else "")):
        assert far[[c.name for c in spec.columns].index(column)] > 10.0


def test_every_column_and_axis_has_one_counterpart() -> None:
    spec = spec_of(config_of(quotes=3, actions="limit+market", depth=2))
    names = {column.name: column for column in spec.columns}
    assert len(names) == len(spec.columns)
    twins = [column for column in spec.columns if column.twin]
    assert all(names[column.twin].twin == column.name and not column.signed for column in twins)
    assert {column.name for column in spec.columns} - {column.name for column in twins} == {
        "imbalance of the best queues", "spread", "inventory", "time left",
        *(f"{what} over {x:g} min" for what in ("bought less sold", "moves of the mid") for x in (0.5, 2.0, 10.0)),
    }  # fmt: skip
    there = other_side(spec)
    assert [there[k] for k in there] == list(range(len(spec.axes)))
    assert all(spec.axes[k].side != spec.axes[there[k]].side for k in there)
    assert is_mirrored(config_of())


def test_a_row_by_hand_with_a_normaliser() -> None:
    config = config_of(depth=1, horizons=[1.0])
    spec = spec_of(config)
    raw = np.arange(1.0, len(spec.columns) + 1.0)
    imbalance, spread, bid, ask, flow, moves, ob, ob_behind, ob_ahead, oa, oa_behind, oa_ahead, held, left = raw
    wanted = [
        -imbalance, spread, ask, bid, -flow, -moves, oa, oa_behind, oa_ahead, ob, ob_behind, ob_ahead, -held, left,
    ]  # fmt: skip

    seen = RunningNormaliser(len(raw))
    rng = np.random.default_rng(0)
    seen.mean, seen.var = rng.normal(size=len(raw)), rng.uniform(0.5, 2.0, len(raw))
    found = seen_from_the_other_side(((raw - seen.mean) / seen.std)[None], spec, seen)
    np.testing.assert_allclose(seen.std * found[0] + seen.mean, wanted, rtol=1e-12)
