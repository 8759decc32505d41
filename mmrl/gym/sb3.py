"""Many markets as a vectorised environment of stable-baselines3, without its loop over single ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.vec_env import VecEnv

from mmrl.gym.checks import require_begun, require_open
from mmrl.gym.engine import Engine
from mmrl.gym.kernel import SAME_STEP
from mmrl.gym.spaces import action_space, observation_space
from mmrl.settings.model import Config


class MarketVecEnv(VecEnv):
    """`num_envs` markets of a config, as `MarketVectorEnv`; `seed(s)` and the next `reset()` choose the trajectories.

    Infos are empty but where an episode ends: `terminal_observation`, `TimeLimit.truncated`, wealth, inventory, mid.
    """

    def __init__(self, config: Config, num_envs: int, action_units: str = "scaled") -> None:
        self.config = config
        self.engine = Engine(config, num_envs, action_units, SAME_STEP)
        self.action = np.zeros((num_envs, len(self.engine.spec.axes)))
        super().__init__(num_envs, observation_space(self.engine.spec), action_space(config, action_units))
        self.engine.seed(config.run.seed)

    def reset(self) -> Any:
        """The first observations [N, obs] of the next episodes."""
        require_open(self.engine)
        if self._seeds[0] is not None:
            self.engine.seed(int(self._seeds[0]))
            self._reset_seeds()
        self.engine.reset()
        return self.engine.observation.copy()

    def step_async(self, actions: np.ndarray) -> None:
        """Note the actions [N, A]."""
        self.action = actions

    def step_wait(self) -> Any:
        """Play a step; what has ended begins anew in it."""
        require_begun(self.engine)
        out = self.engine.step(self.action)
        ended = out.terminated | out.truncated
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for i in np.flatnonzero(ended):
            infos[i] = {
                "terminal_observation": out.last_raw[i].copy(),
                "TimeLimit.truncated": bool(out.truncated[i]),
                "wealth": float(out.last_wealth[i]),
                "inventory": int(out.last_inventory[i]),
                "mid": float(out.last_mid[i]),
            }
        return self.engine.observation.copy(), out.reward.astype(np.float32), ended, infos

    def close(self) -> None:
        """End the threads."""
        self.engine.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """The same for all: no attribute belongs to one market."""
        return [getattr(self, attr_name, None)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """There is none to set."""
        raise AttributeError(attr_name)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """There is none to call."""
        raise AttributeError(method_name)

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> Sequence[bool]:
        """None is."""
        return [False] * self.num_envs
