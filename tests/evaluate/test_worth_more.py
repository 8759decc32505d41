"""Whether a policy plays its means or samples: what is worth more, on trajectories that no evaluation draws."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mmrl.evaluate.grade import MEAN, SAMPLED, WAYS, Grader, scores_of, worth_more
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.learn.policy import make_policy
from mmrl.markets.contract import spec_of
from mmrl.rollout.buffers import Buffers
from mmrl.rollout.compiled import rollout
from mmrl.rollout.quoters import learned
from mmrl.runs.memory import graded
from mmrl.settings.build import build
from mmrl.settings.model import Config

STUCK = {"market": {"nt": 200, "size_centre": 3.0, "delta_centre": 1.5}, "policy": {"log_std": -0.5}}
"""Untrained: the means are constant, and their orders pile up at one level where hardly anything trades."""
DROWNED = {"market": {"nt": 200, "size_centre": 4.0, "delta_centre": 0.65}, "policy": {"log_std": 1.5}}
"""The same near the best fixed quotes, and so much noise that most orders are of no use."""


def untrained(config: Config) -> tuple[Any, RunningNormaliser]:
    policy = make_policy(config)
    policy.network[:] = 0.0
    return policy, RunningNormaliser(len(spec_of(config).columns))


@pytest.mark.parametrize(("settings", "wanted"), [(STUCK, SAMPLED), (DROWNED, MEAN)])
def test_the_better_is_played_and_graded(settings: dict[str, dict[str, float]], wanted: str) -> None:
    config = build(settings)
    policy, normaliser = untrained(config)
    weights = policy.weights(normaliser)
    fresh = {}
    for name in (MEAN, SAMPLED):
        batch = rollout(config, learned(weights, deterministic=name == MEAN), 99, 0, count=100)
        fresh[name] = batch.segment_sum(batch.reward)
    other = SAMPLED if wanted == MEAN else MEAN
    gain = fresh[wanted] - fresh[other]
    assert gain.mean() > 5 * gain.std() / math.sqrt(gain.size)
    assert worth_more(config, weights) == wanted
    grade = Grader(config).grade(policy, normaliser)
    assert grade.value == pytest.approx(scores_of(config, weights, graded(config.training.nb))[wanted].mean())
    assert grade.scores is not None and grade.scores.size == graded(config.training.nb)
    at_once = scores_of(config, weights, 9, [Buffers(flows=False) for _ in WAYS])
    for name, rewards in scores_of(config, weights, 9).items():
        np.testing.assert_array_equal(at_once[name], rewards)


def test_a_solved_market_is_graded_by_its_quotes() -> None:
    """Also where samples would earn more: the means are so far out that hardly anything is filled."""
    far = {"name": "avellaneda-stoikov", "nt": 20, "delta_centre": 4.0, "delta_scale": 1.0}
    config = build({"market": far, "policy": {"log_std": 0.0}})
    policy, normaliser = untrained(config)
    weights = policy.weights(normaliser)
    scores = scores_of(config, weights, 200)
    assert scores[SAMPLED].mean() > scores[MEAN].mean()
    assert worth_more(config, weights) == MEAN
