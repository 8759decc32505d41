"""What a market shows and takes as spaces of gymnasium."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, MultiDiscrete, Space

from mmrl.gym.engine import REACH
from mmrl.markets.contract import Spec, spec_of
from mmrl.settings.fields import fields, value_of
from mmrl.settings.model import Config

LARGEST = float(np.finfo(np.float32).max)
"""Bound of what has none: gymnasium's checks warn of infinity."""
POLICY_BOUND = 20.0
"""Of actions in a policy's units: so far out that it never binds."""


def observation_space(spec: Spec) -> Box:
    """One number for each column of the spec."""
    low = [0.0 if column.role == "time left" else -LARGEST for column in spec.columns]
    high = [1.0 if column.role == "time left" else LARGEST for column in spec.columns]
    return Box(np.array(low, np.float32), np.array(high, np.float32), dtype=np.float32)


def action_space(config: Config, units: str) -> Space[Any]:
    """One number, or one choice, for each axis of the spec.

    The space carries in `mmrl` what its numbers mean: whoever saves a policy with its spaces, as stable-baselines3
    does, saves that too.
    """
    spec = spec_of(config)
    shape = (len(spec.axes),)
    space: Any
    if units == "choices":
        space = MultiDiscrete([len(axis.grid) for axis in spec.axes])
    elif units == "market":
        low = np.maximum([axis.low for axis in spec.axes], -LARGEST)
        space = Box(low, np.full(shape, LARGEST), dtype=np.float64)
    else:
        bound = 1.0 if units == "scaled" else POLICY_BOUND
        space = Box(-bound, bound, shape, np.float32)
    own = [field for field in fields(config.market.name) if field.part in ("view", "action")]
    space.mmrl = {
        "market": config.market.name,
        "units": units,
        "reach": REACH if units == "scaled" else 1.0,
        "settings": {field.name: value_of(config, field) for field in own},
    }
    return space
