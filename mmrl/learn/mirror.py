"""The mirror image of a batch, where bid and ask follow the same law: twice the rows from the same steps.

Whoever holds -q with the sides exchanged is in the game of whoever holds q. So a step taught at one inventory is one
taught at the other, and chance that pulls the policy off the centre cancels (symmetries of decision processes: van der
Pol et al., MDP homomorphic networks, NeurIPS 2020).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from mmrl.learn.normaliser import RunningNormaliser
from mmrl.learn.returns import LearningBatch
from mmrl.markets.contract import Spec, spec_of
from mmrl.rollout.arrays import Column, joined, like
from mmrl.settings.model import Config


def is_mirrored(config: Config) -> bool:
    """Whether mirrored rows may be learned from.

    Market and reward must be the same from both sides; cash alone, and a bonus for buying, are not. The algorithm must
    be PPO with clipping and no bound on the KL divergence: REINFORCE has no ratio that corrects for the other policy,
    and a KL divergence from it counts what is asymmetric as movement.
    """
    reward, training = config.reward, config.training
    symmetric = spec_of(config).mirrored and reward.step_kind != "wealth" and not reward.add_inventory
    return symmetric and training.algorithm == "ppo" and not training.noclip and not training.target_kl


def other_side(spec: Spec) -> list[int]:
    """For each axis its counterpart on the other side [A]."""
    places = {(axis.kind, axis.side, axis.rank): k for k, axis in enumerate(spec.axes)}
    return [places[axis.kind, "ask" if axis.side == "bid" else "bid", axis.rank] for axis in spec.axes]


def seen_from_the_other_side(observation: Column, spec: Spec, normaliser: RunningNormaliser) -> Column:
    """Normalised observations [rows, columns] as the maker with -q shares and the sides exchanged sees them."""
    places = {column.name: k for k, column in enumerate(spec.columns)}
    source = [places[column.twin or column.name] for column in spec.columns]
    sign = np.array([-1.0 if column.signed else 1.0 for column in spec.columns])
    mean, std = normaliser.mean, normaliser.std
    scale, shift = sign * std[source] / std, (sign * mean[source] - mean) / std
    return observation[:, source] * like(scale, observation) + like(shift, observation)


def with_mirror_image(batch: LearningBatch, config: Config, normaliser: RunningNormaliser) -> LearningBatch:
    """Rows as they are, then mirrored [2 nnz]; the batch itself where `is_mirrored` says no.

    `normaliser` is the one of the batch's observations. The image was played by the image of the policy: a mirrored row
    keeps its log-probability, and the ratio corrects for what is not symmetric in the policy.
    """
    if not is_mirrored(config):
        return batch
    spec = spec_of(config)
    image = seen_from_the_other_side(batch.observation, spec, normaliser)
    return replace(
        batch,
        observation=joined([batch.observation, image]),
        action=joined([batch.action, batch.action[:, other_side(spec)]]),
        log_prob=joined([batch.log_prob] * 2),
        advantage=joined([batch.advantage] * 2),
    )
