"""`VectorMarket` as a vectorised environment of stable-baselines3."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from stable_baselines3.common.vec_env import VecEnv

from benchmarks.vector_market import VectorMarket


class Sb3Market(VecEnv):
    """All trajectories end, and begin anew, together; the end is worth 0, as in mmrl with `time_limit = ends`."""

    def __init__(self, market: VectorMarket, bound: float) -> None:
        self.market = market
        self.action = np.zeros((market.count, 2))
        super().__init__(
            market.count,
            Box(-np.inf, np.inf, (2,), np.float32),
            Box(-bound, bound, (2,), np.float32),
        )

    def reset(self) -> Any:
        return self.market.reset().astype(np.float32)

    def step_async(self, actions: np.ndarray) -> None:
        self.action = actions

    def step_wait(self) -> Any:
        observation, reward, ended = self.market.step(self.action)
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        if ended:
            for info, last in zip(infos, observation.astype(np.float32), strict=True):
                info["terminal_observation"] = last
            observation = self.market.reset()
        return observation.astype(np.float32), reward.astype(np.float32), np.full(self.num_envs, ended), infos

    def close(self) -> None:
        pass

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        return [None] * self.num_envs  # none of its attributes belongs to one trajectory

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        raise AttributeError(attr_name)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        raise AttributeError(method_name)

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> Sequence[bool]:
        return [False] * self.num_envs
