"""The mirror image of a batch, where bid and ask follow the same law: twice the rows from the same steps.

Whoever holds -q with the sides exchanged is in the game of whoever holds q. So a step taught at one inventory is one
taught at the other, and chance that pulls the policy off the centre cancels (symmetries of decision processes: van der
Pol et al., MDP homomorphic networks, NeurIPS 2020).
"""

from __future__ import annotations

from dataclasses import replace

import torch

from mmrl.learn.normaliser import RunningNormaliser
from mmrl.learn.returns import LearningBatch
from mmrl.markets.contract import Spec, spec_of
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
    """For each axis the one of the same kind on the other side [A]."""
    places = {(axis.kind, axis.side): k for k, axis in enumerate(spec.axes)}
    return [places[axis.kind, "ask" if axis.side == "bid" else "bid"] for axis in spec.axes]


def with_mirror_image(batch: LearningBatch, config: Config, normaliser: RunningNormaliser) -> LearningBatch:
    """Rows as they are, then mirrored [2 nnz]; the batch itself where `is_mirrored` says no.

    `normaliser` is the one of the batch's observations. The image was played by the image of the policy: a mirrored row
    keeps its log-probability, and the ratio corrects for what is not symmetric in the policy.
    """
    if not is_mirrored(config):
        return batch
    spec, observation = spec_of(config), batch.observation.clone()
    held = spec.column_of("inventory")
    if held is not None:
        observation[:, held] = -observation[:, held] - 2.0 * float(normaliser.mean[held] / normaliser.std[held])
    return replace(
        batch,
        observation=torch.cat([batch.observation, observation]),
        action=torch.cat([batch.action, batch.action[:, other_side(spec)]]),
        log_prob=torch.cat([batch.log_prob] * 2),
        advantage=torch.cat([batch.advantage] * 2),
    )
