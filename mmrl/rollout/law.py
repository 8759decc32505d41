"""A market's law and memory, out of the kernel that puts both into the rollout loop.

Every market has a compiled `rollout` that makes its memory and calls `play(reset, observe, act, ...)`. Its plain Python
body, called with something else in the place of `play`, says which functions these are and what the memory looks like:
so each registered market can be played one step at a time, and on other devices, without a further file.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from mmrl.markets.contract import market_named, market_of
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config


class _Reached(Exception):
    """The kernel has come to its loop."""

    def __init__(self, given: tuple[Any, ...]) -> None:
        self.given = given


class Law(NamedTuple):
    """The functions of a market, in the order in which the loop takes them."""

    reset: Any
    observe: Any
    act: Any
    advance: Any
    account: Any
    heuristic: Any
    split: Any


def law_of(config: Config, parameters: Any = None) -> tuple[Law, Any, Any]:
    """Functions, parameters and one state of a config's market; or one for other `parameters` of that market."""
    rollout = market_of(config).kernel.py_func
    if parameters is None:
        parameters = market_of(config).dynamics.parameters(config.market)

    def play(*given: Any) -> None:
        raise _Reached(given)

    memory = dict.fromkeys(("scratch", "on_stack"), lambda *_: None)
    scope = {**rollout.__globals__, "play": play, "play_beside": play, **memory}
    unused = (None,) * (rollout.__code__.co_argcount - 1)
    try:
        FunctionType(rollout.__code__, scope, closure=rollout.__closure__)(_readable(parameters), *unused)
    except _Reached as reached:
        *functions, _, state = reached.given[:9]
    else:
        raise ConfigError(f"market {config.market.name} cannot be played step by step: its rollout calls no play()")
    return Law(*functions), parameters, state


@lru_cache(maxsize=4)
def parameters_of(settings: Any) -> Any:
    """The parameters of a market with these settings, the same ones as long as they are the last few asked for."""
    return market_named(settings.name).dynamics.parameters(settings)


class Known(NamedTuple):
    """What rollouts need to know of a market with given parameters."""

    parameters: Any
    law: Law
    state: Any
    common: dict[str, str]
    """Of `shared_of`."""
    size: int
    """Bytes of a state."""


_last: Known | None = None


def remembered(config: Config, parameters: Any) -> Known:
    """Functions and one state of `law_of` for these very parameters: a state may be large, and each rollout asks."""
    global _last
    last = _last
    if last is None or last.parameters is not parameters:
        law, _, state = law_of(config, parameters)
        last = _last = Known(parameters, law, state, shared_of(state, parameters), size_of(state))
    return last


def _readable(parameters: Any) -> Any:
    """Parameters whose records have their numbers as attributes in plain Python too."""
    if isinstance(parameters, np.void):
        return np.array(parameters).view(np.dtype((np.record, parameters.dtype)))[()]
    if isinstance(parameters, tuple):  # a NamedTuple
        return type(parameters)(*(_readable(v) if isinstance(v, np.void) else v for v in parameters))  # type: ignore
    return parameters


def shared_of(state: Any, parameters: Any) -> dict[str, str]:
    """Names of the arrays that a state has from the parameters, so that all states have them in common, and their names
    there."""
    if not isinstance(state, tuple):
        return {}
    parts: dict[str, Any] = state._asdict()  # type: ignore[attr-defined]
    return {
        name: given
        for name, part in parts.items()
        for given, same in parameters._asdict().items()
        if part is same and isinstance(part, np.ndarray)
    }


def memory_of(state: Any, count: int, shared: Collection[str] = ()) -> tuple[np.ndarray, ...]:
    """Memory for `count` copies of a state, which have the `shared` parts in common: one array a part [count, ...]."""
    if not isinstance(state, tuple):
        return (_copies(state, count),)
    parts: dict[str, Any] = state._asdict()  # type: ignore[attr-defined]
    return tuple(part if name in shared else _copies(part, count) for name, part in parts.items())


def sharing(parts: tuple[np.ndarray, ...], state: Any, shared: Collection[str]) -> tuple[np.ndarray, ...]:
    """The memory of copies with the parts in common that this state has."""
    if not shared:
        return parts
    given = state._asdict().items()
    return tuple(now if name in shared else kept for (name, now), kept in zip(given, parts, strict=True))


def size_of(state: Any) -> int:
    """Bytes of one state."""
    return sum(np.asarray(part).nbytes for part in (state if isinstance(state, tuple) else (state,)))


def _copies(part: Any, count: int) -> np.ndarray:
    array = np.asarray(part)
    copies = np.zeros((count, *array.shape), array.dtype)
    if array.dtype.names is not None or array.any():  # else its pages are left untouched
        copies[:] = array
    return copies
