"""What callers give an environment, checked: one line that says what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
import numpy.typing as npt
from gymnasium.vector import AutoresetMode

from mmrl.gym.engine import Engine
from mmrl.settings.errors import ConfigError, brief, choose, suggestion
from mmrl.settings.fields import NAME, FieldSpec, field
from mmrl.settings.market_about import gymnasium_name
from mmrl.settings.registry import markets
from mmrl.settings.upgrade import old_key

MASK = "reset_mask"
USED = ("reward", "market")
"""Groups of settings that an environment uses, but for those of `INSTEAD`."""
USED_TOO = ("run.threads",)
INSTEAD = {
    "run.seed": "give it to reset(seed=...)",
    "run.device": "an environment runs on the CPU: drop it",
    "run.engine": "an environment has an engine of its own: drop it",
    "run.reproducible": "drop it, or give it to mmrl.Config.of for mmrl.train",
    "policy.kind": "choose action_units='choices' or another unit of actions",
    "reward.discount": "drop it, and give it to whatever learns",
}
"""What to use for settings that an environment does not use."""


def refuse_unused(settings: Mapping[str, Any]) -> None:
    """Raise ConfigError on a keyword that is a setting which no environment uses, or one that is unknown."""
    for name, value in settings.items():
        spec = field(old_key(name) or name)
        if spec.key != NAME and (spec.key in USED_TOO or (spec.group in USED and spec.key not in INSTEAD)):
            continue
        raise ConfigError(f"{name} = {brief(value)} has no effect on an environment: {_instead(spec, value)}")


def _instead(spec: FieldSpec, value: Any) -> str:
    if spec.key == NAME:
        known = isinstance(value, str) and value in markets()
        wanted = gymnasium_name(value) if known else "mmrl/Name-v0 (`mmrl markets` lists the names)"
        return f"its name says the market: drop it, or make {wanted}"
    if spec.key in INSTEAD:
        return INSTEAD[spec.key]
    if spec.group == "run":
        return "it writes no files: drop it"
    return "it is for mmrl.train: drop it, and set up whatever learns in its own way"


def require_count(num_envs: Any) -> None:
    """Raise ConfigError unless it is a number of copies."""
    if not _whole(num_envs) or num_envs < 1:
        raise ConfigError(f"num_envs = {brief(num_envs)} is not allowed: it must be a whole number >= 1")


def mode_of(autoreset_mode: Any) -> AutoresetMode:
    """When an environment that has ended begins anew, by its name in gymnasium or as it is."""
    try:
        return AutoresetMode(autoreset_mode)
    except ValueError:
        names = choose(str(autoreset_mode), [mode.value for mode in AutoresetMode])
        raise ConfigError(f"autoreset_mode = {brief(autoreset_mode)} is not allowed: it must be {names}") from None


def seed_of(seed: Any) -> int | None:
    """A seed for one environment, or None."""
    if seed is None or (_whole(seed) and seed >= 0):
        return None if seed is None else int(seed)
    raise ConfigError(f"seed = {brief(seed)} is not allowed: it must be a whole number >= 0, or None")


def seeds_of(seed: Any, count: int) -> int | list[int | None] | None:
    """A seed for all of `count` environments, one for each, or None."""
    if seed is None or (_whole(seed) and seed >= 0):
        return seed_of(seed)
    if isinstance(seed, Sequence | np.ndarray) and not isinstance(seed, str | bytes) and len(seed) == count:
        return [seed_of(each) for each in seed]
    raise ConfigError(
        f"seed = {brief(seed)} is not allowed: it must be a whole number >= 0, a list of {count} (one for each "
        "environment), or None"
    )


def refuse_options(options: Any, known: Sequence[str] = ()) -> None:
    """Raise ConfigError on options of a reset that nobody knows."""
    if options is not None and not isinstance(options, Mapping):
        raise ConfigError(f"options = {brief(options)} is not allowed: it must be a dict or None")
    for name in options or {}:
        if name not in known:
            there = suggestion(str(name), known) or (f": there is {', '.join(known)}" if known else ": there are none")
            raise ConfigError(f"options: unknown key {brief(name)}{there}")


def mask_of(options: Mapping[str, Any] | None, count: int) -> npt.NDArray[np.bool_] | None:
    """Which of `count` environments the options of a reset name; None: all."""
    refuse_options(options, (MASK,))
    if not options:
        return None
    mask = options[MASK]
    if isinstance(mask, np.ndarray) and mask.dtype == np.bool_ and mask.shape == (count,) and mask.any():
        return mask
    raise ConfigError(
        f"options = {{'{MASK}': {brief(mask)}}} is not allowed: it must be a boolean numpy array of shape ({count},), "
        "true where an environment shall begin anew, which one must"
    )


def require_open(engine: Engine) -> None:
    """Raise gymnasium's error after `close()`."""
    if engine.closed:
        raise gymnasium.error.ClosedEnvironmentError("this environment is closed: make another one")


def require_begun(engine: Engine, remedy: str = "call reset() first") -> None:
    """Raise gymnasium's errors where a step makes no sense: after `close()`, or before the first `reset()`."""
    require_open(engine)
    if not engine.begun.all():
        which = "the environment has" if engine.count == 1 else f"{int((~engine.begun).sum())} environments have"
        raise gymnasium.error.ResetNeeded(f"{which} not begun: {remedy}")


def _whole(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.bool_)
