"""A market's law and memory, out of the kernel that puts both into the rollout loop.

Every market has a compiled `rollout` that makes its memory and calls `play(reset, observe, act, ...)`. Its plain Python
body, called with something else in the place of `play`, says which functions these are and what the memory looks like:
so each registered market can be played one step at a time, and on other devices, without a further file.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any, NamedTuple

import numpy as np

from mmrl.markets.contract import market_of
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


class Memory(NamedTuple):
    """The memory of N copies of a market: one array a part [N, ...], and what puts the parts together again."""

    parts: tuple[np.ndarray, ...]
    kind: Any
    """Class of the market's state, a NamedTuple; None for a state that is one record."""


def law_of(config: Config) -> tuple[Law, Any, Any]:
    """Functions, parameters and one state of a config's market."""
    rollout = market_of(config).kernel.py_func
    parameters = market_of(config).dynamics.parameters(config.market)

    def play(*given: Any) -> None:
        raise _Reached(given)

    scope = {**rollout.__globals__, "play": play, "scratch": lambda *_: None}
    unused = (None,) * (rollout.__code__.co_argcount - 1)
    try:
        FunctionType(rollout.__code__, scope, closure=rollout.__closure__)(_readable(parameters), *unused)
    except _Reached as reached:
        *functions, _, state = reached.given[:9]
    else:
        raise ConfigError(f"market {config.market.name} cannot be played step by step: its rollout calls no play()")
    return Law(*functions), parameters, state


def _readable(parameters: Any) -> Any:
    """Parameters whose records have their numbers as attributes in plain Python too."""
    if isinstance(parameters, np.void):
        return np.array(parameters).view(np.dtype((np.record, parameters.dtype)))[()]
    if isinstance(parameters, tuple):  # a NamedTuple
        return type(parameters)(*(_readable(v) if isinstance(v, np.void) else v for v in parameters))  # type: ignore
    return parameters


def memory_of(state: Any, count: int) -> Memory:
    """Memory for `count` copies of a state."""
    parts = tuple(state) if isinstance(state, tuple) else (state,)
    return Memory(tuple(_copies(part, count) for part in parts), type(state) if isinstance(state, tuple) else None)


def size_of(state: Any) -> int:
    """Bytes of one state."""
    return sum(part.nbytes for part in memory_of(state, 1).parts)


def _copies(part: Any, count: int) -> np.ndarray:
    array = np.asarray(part)
    copies = np.zeros((count, *array.shape), array.dtype)
    copies[:] = array
    return copies
