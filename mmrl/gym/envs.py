"""Any market as an environment of gymnasium, alone or many at once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from mmrl.gym.checks import (
    mask_of,
    mode_of,
    refuse_options,
    refuse_unused,
    require_begun,
    require_count,
    require_open,
    seed_of,
    seeds_of,
)
from mmrl.gym.engine import Engine, numbers
from mmrl.gym.kernel import DISABLED, NEXT_STEP, SAME_STEP
from mmrl.gym.spaces import action_space, observation_space
from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import NAME
from mmrl.settings.market_about import gymnasium_name
from mmrl.settings.model import Config
from mmrl.settings.sources import presets

KIND = "policy.kind"
MODES = {AutoresetMode.NEXT_STEP: NEXT_STEP, AutoresetMode.SAME_STEP: SAME_STEP, AutoresetMode.DISABLED: DISABLED}


def config_of(market: str, preset: str | None, action_units: str, settings: dict[str, Any]) -> Config:
    """The settings of an environment: of a preset (the market's namesake, if it has one), then the given ones."""
    refuse_unused(settings)
    chosen = preset or (market if market in presets() else None)
    own = {**({} if chosen else {NAME: market}), **settings}
    if action_units == "choices":
        own[KIND] = "categorical"  # whose settings are the grids
    try:
        found = Config.of(chosen, **own)
    except ConfigError as error:  # which does not know that the market has a name of its own here
        named = re.sub(r"use market='([\w-]+)'", lambda use: f"make {gymnasium_name(use[1])}", str(error))
        raise ConfigError(named) from None
    if found.market.name != market:
        raise ConfigError(f"preset = {preset!r} is of market {found.market.name}, not of {market}: choose another one")
    return found


class MarketEnv(gymnasium.Env[np.ndarray, Any]):
    """One market and its maker.

    `settings` are those of `mmrl train` by name (`nt=500, sigma=3.0, utility="cara"`), on top of `preset`; None is the
    preset of the market's name, or its defaults. Those that no environment uses, of learning and of runs, are refused.
    `action_units`: "scaled" (-1 to 1 are `REACH` units of a policy), "policy" (centre + scale * action + skew *
    inventory, as mmrl's own policies act), "market" (shares and currency) or "choices" (places in the grids). The
    episode is terminated by the market or, with reward.time_limit = "ends", by the end of its time, which the maker
    sees; with "cuts" it is truncated there. `info` has wealth, inventory and mid.
    `reset(seed=s)` begins trajectory 0 of the seed, each `reset()` after it the next one.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as gymnasium declares it

    def __init__(
        self,
        market_name: str,
        preset: str | None = None,
        action_units: str = "scaled",
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        self.config = config_of(market_name, preset, action_units, settings)
        self.engine = Engine(self.config, 1, action_units, DISABLED)
        self.observation_space = observation_space(self.engine.spec)
        self.action_space = action_space(self.config, action_units)
        self.render_mode = render_mode
        self._seeded = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode: its first observation, and info."""
        require_open(self.engine)
        refuse_options(options)
        seed = seed_of(seed)
        super().reset(seed=seed)
        if seed is not None or not self._seeded:
            self.engine.seed(int(self.np_random.integers(2**63)) if seed is None else seed)
            self._seeded = True
        out = self.engine.reset()
        return self.engine.observation[0].copy(), self._info(out)

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Quote, and go on by a step."""
        require_begun(self.engine)
        if self.engine.copies.over[0]:
            raise gymnasium.error.ResetNeeded("the episode has ended: call reset() first")
        out = self.engine.step(numbers(action, self.action_space.shape)[None])
        observation, info = self.engine.observation[0].copy(), self._info(out)
        return observation, float(out.reward[0]), bool(out.terminated[0]), bool(out.truncated[0]), info

    def _info(self, out: Any) -> dict[str, Any]:
        return {"wealth": float(out.wealth[0]), "inventory": int(out.inventory[0]), "mid": float(out.mid[0])}

    def close(self) -> None:
        """End it: neither a step nor a reset is possible afterwards."""
        self.engine.close()


class MarketVectorEnv(VectorEnv[np.ndarray, np.ndarray, np.ndarray]):
    """Many markets of one kind, each with its maker, on the compiled law; arguments as for `MarketEnv`.

    `reset(seed=s)` gives environment i trajectory i of the seed and, whenever it begins anew, i + N, i + 2 N, ...: the
    batch that the compiled engine simulates. A list of seeds gives each the trajectories of a single environment of
    its seed. `autoreset_mode` is gymnasium's: the next step (default), the same step, or none, with
    `options={"reset_mask": ...}`; a seed given with it is for those that begin.
    """

    def __init__(
        self,
        market_name: str,
        num_envs: int = 1,
        preset: str | None = None,
        action_units: str = "scaled",
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        render_mode: str | None = None,
        **settings: Any,
    ) -> None:
        require_count(num_envs)
        self.autoreset_mode, num_envs = mode_of(autoreset_mode), int(num_envs)
        self.metadata = {"render_modes": [], "autoreset_mode": self.autoreset_mode}
        self.config = config_of(market_name, preset, action_units, settings)
        self.render_mode, self.num_envs = render_mode, num_envs
        self.engine = Engine(self.config, num_envs, action_units, MODES[self.autoreset_mode])
        self.single_observation_space = observation_space(self.engine.spec)
        self.single_action_space = action_space(self.config, action_units)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self._everyone = np.ones(num_envs, np.bool_)
        self._seeded = False

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode everywhere, or where `options["reset_mask"]` is true; a seed is for those that begin."""
        require_open(self.engine)
        chosen, mask = seeds_of(seed, self.num_envs), mask_of(options, self.num_envs)
        super().reset(seed=chosen if isinstance(chosen, int) else None)
        if not self._seeded:  # of those too that do not begin yet
            self.engine.seed(self._drawn(None if mask is not None else chosen))
        if chosen is not None and (mask is not None or self._seeded):
            self.engine.seed(self._drawn(chosen), self._seeded_by(chosen, mask))
        self._seeded = True
        out = self.engine.reset(mask)
        which = self._everyone if mask is None else mask
        return self.engine.observation.copy(), self._info(out.wealth, out.inventory, out.mid, which)

    def _drawn(self, seed: int | list[int | None] | None) -> int | list[int]:
        """Seeds, drawn where none is given."""
        if isinstance(seed, int):
            return seed
        if seed is None:
            return int(self.np_random.integers(2**63))
        return [int(self.np_random.integers(2**63)) if each is None else each for each in seed]

    def _seeded_by(self, seed: int | list[int | None], mask: np.ndarray | None) -> np.ndarray:
        """For which of those that begin a seed is given: the others go on with their trajectories."""
        given = self._everyone if isinstance(seed, int) else np.array([each is not None for each in seed])
        return given if mask is None else given & mask

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Quote everywhere, and go on by a step; rewards are float64."""
        require_begun(self.engine, "call reset() first, without a reset_mask or with one that names them")
        if self.autoreset_mode is AutoresetMode.DISABLED and self.engine.copies.over.any():
            raise gymnasium.error.ResetNeeded("an episode has ended: reset it by options={'reset_mask': ...}")
        out = self.engine.step(actions)
        info = self._info(out.wealth, out.inventory, out.mid, self._everyone)
        terminated, truncated = out.terminated.copy(), out.truncated.copy()
        if self.autoreset_mode is AutoresetMode.SAME_STEP:
            ended = terminated | truncated
            if ended.any():
                info |= self._final(out, ended)
        return self.engine.observation.copy(), out.reward.copy(), terminated, truncated, info

    def _info(self, wealth: Any, inventory: Any, mid: Any, which: np.ndarray) -> dict[str, Any]:
        info: dict[str, Any] = {}
        for name, values in (("wealth", wealth), ("inventory", inventory), ("mid", mid)):
            info[name], info[f"_{name}"] = np.where(which, values, 0), which.copy()
        return info

    def _final(self, out: Any, ended: np.ndarray) -> dict[str, Any]:
        """What stood at the end of the episodes that have ended, as gymnasium names it."""
        last: np.ndarray = np.full(self.num_envs, None, object)
        for i in np.flatnonzero(ended):
            last[i] = out.last_raw[i].copy()
        info = self._info(out.last_wealth, out.last_inventory, out.last_mid, ended)
        return {"final_obs": last, "_final_obs": ended.copy(), "final_info": info, "_final_info": ended.copy()}

    def close_extras(self, **kwargs: Any) -> None:
        """End the threads."""
        self.engine.close()
