"""What a market shows and takes as spaces of gymnasium."""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, MultiDiscrete, Space

from mmrl.markets.contract import Spec

LARGEST = float(np.finfo(np.float32).max)
"""Bound of what has none: gymnasium's checks warn of infinity."""
POLICY_BOUND = 20.0
"""Of actions in a policy's units: so far out that it never binds."""


def observation_space(spec: Spec) -> Box:
    """One number for each column of the spec."""
    low = [0.0 if column.role == "time left" else -LARGEST for column in spec.columns]
    high = [1.0 if column.role == "time left" else LARGEST for column in spec.columns]
    return Box(np.array(low, np.float32), np.array(high, np.float32), dtype=np.float32)


def action_space(spec: Spec, units: str) -> Space[Any]:
    """One number, or one choice, for each axis of the spec."""
    shape = (len(spec.axes),)
    if units == "choices":
        return MultiDiscrete([len(axis.grid) for axis in spec.axes])
    if units == "market":
        low = np.maximum([axis.low for axis in spec.axes], -LARGEST)
        return Box(low, np.full(shape, LARGEST), dtype=np.float64)
    bound = 1.0 if units == "scaled" else POLICY_BOUND
    return Box(-bound, bound, shape, np.float32)
