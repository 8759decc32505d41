"""The state of one copy of a market out of the arrays of many, in compiled code: an environment, a thread of a GPU."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from numba import njit

MOST_PARTS = 8
"""Of the state of a market."""


@njit(inline="always")
def _own(part, i):
    return part[i]


@njit(inline="always")
def _common(part, i):
    return part


@njit(inline="always")
def _only(parts, i):
    return parts[0][i]


def copy_of(state: Any, shared: Collection[str] = ()) -> Any:
    """A compiled function (parts, i) that takes copy i out of the parts that `mmrl.rollout.law.memory_of` makes.

    `state` is one state of the market. Numba's own inlining, since a tuple that holds records cannot be returned.
    """
    return state_of_one(type(state), tuple(shared)) if isinstance(state, tuple) else _only


def state_of_one(state: Any, shared: tuple[str, ...] = ()) -> Any:
    """A compiled function (parts, i) that takes state i out of the arrays of all; all have the `shared` parts whole.

    `state` is the class of the state, a NamedTuple; None for a state that is one array of records.

    It is chosen from written ones, since compiled code can neither build a tuple in a loop nor return one that holds
    records.
    """
    if state is None:
        return _own
    takes = tuple(_common if name in shared else _own for name in state._fields)
    if len(takes) > MOST_PARTS:
        raise ValueError(f"a state of {len(takes)} arrays: at most {MOST_PARTS} can be played one by one")
    every: Any = (*takes, *(_own,) * (MOST_PARTS - len(takes)))
    a, b, c, d, e, f, g, h = every

    def one(p, i):
        return state(a(p[0], i))

    def two(p, i):
        return state(a(p[0], i), b(p[1], i))

    def three(p, i):
        return state(a(p[0], i), b(p[1], i), c(p[2], i))

    def four(p, i):
        return state(a(p[0], i), b(p[1], i), c(p[2], i), d(p[3], i))

    def five(p, i):
        return state(a(p[0], i), b(p[1], i), c(p[2], i), d(p[3], i), e(p[4], i))

    def six(p, i):
        return state(a(p[0], i), b(p[1], i), c(p[2], i), d(p[3], i), e(p[4], i), f(p[5], i))

    def seven(p, i):
        return state(a(p[0], i), b(p[1], i), c(p[2], i), d(p[3], i), e(p[4], i), f(p[5], i), g(p[6], i))

    def eight(p, i):
        return state(a(p[0], i), b(p[1], i), c(p[2], i), d(p[3], i), e(p[4], i), f(p[5], i), g(p[6], i), h(p[7], i))

    written = (one, two, three, four, five, six, seven, eight)
    return njit(inline="always")(written[len(takes) - 1])
