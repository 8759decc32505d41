"""A trained policy in a program: what it sees goes in, quotes come out, some microseconds a call."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from mmrl.policy.frozen import CLIP, Frozen
from mmrl.settings.errors import brief, suggestion

ROLES = ("inventory", "time left")
LEFT = "time_left"
LARGEST = float(np.finfo(np.float32).max)
SHARE = "it must be a share of the horizon, 0 to 1 (1 at the start)"
SLACK = 1e-6
"""Of a share that was computed in floating point."""
_LOW, _HIGH = np.float32(-CLIP), np.float32(CLIP)


def identifier(name: str) -> str:
    """The name of a column or an axis as Python writes it: `bid distance` is `bid_distance`."""
    return "".join(letter if letter.isalnum() else "_" for letter in name)


def _number(name: str, value: Any, share: bool) -> float:
    """A number of an observation; ValueError unless it is one, finite in 32 bits, and a share where it must be."""
    try:
        found = math.nan if isinstance(value, str | bytes) else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.nan
    if not -LARGEST <= found <= LARGEST:  # nor NaN
        raise ValueError(f"{name} = {brief(value)}: an observation must be finite numbers of at most {LARGEST:.3g}")
    if share and not _is_share(found):
        raise ValueError(f"{name} = {brief(value)} is not allowed: {SHARE}")
    return found


def _is_share(number: float) -> bool:
    return -SLACK <= number <= 1 + SLACK


def _array(given: Any) -> npt.NDArray[np.float32] | None:
    """A copy as 32-bit numbers; None for what is no array of real numbers."""
    try:
        found = np.asarray(given)
    except ValueError:  # lists of unequal lengths
        return None
    if found.dtype.kind not in "iufb":
        return None
    if found.dtype == np.float32:
        return found.copy()
    with np.errstate(over="ignore"):  # infinite, which is refused
        return found.astype(np.float32)


class Quotes(Mapping[str, float]):
    """What a policy quotes: one number an axis, in the units of its market.

    By name (`quotes["bid distance"]`), as an attribute (`quotes.bid_distance`), or all in order (`quotes.values_`).
    """

    __slots__ = ("names", "values_")

    def __init__(self, names: tuple[str, ...], values: tuple[float, ...]) -> None:
        self.names, self.values_ = names, values

    def __getitem__(self, name: str) -> float:
        try:
            return self.values_[self.names.index(name)]
        except ValueError:
            raise KeyError(name) from None

    def __getattr__(self, name: str) -> float:
        if name in Quotes.__slots__ or name.startswith("__"):  # asked for before they are set, by copy and pickle
            raise AttributeError(name)
        for own, value in zip(self.names, self.values_, strict=True):
            if identifier(own) == name:
                return value
        raise AttributeError(f"no quote {name!r}: there are {', '.join(map(identifier, self.names))}")

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __repr__(self) -> str:
        return f"Quotes({', '.join(f'{identifier(name)}={value:.6g}' for name, value in self.items())})"


class Policy:
    """A policy of a run. Its quotes are deterministic: the mean of the actions, or the likeliest choices.

    It holds no state: threads may share it.
    """

    def __init__(self, frozen: Frozen, config: Any = None) -> None:
        self.frozen = frozen
        self.config = config
        """The settings it was trained with; None for one that was read from an exported file."""
        self.columns = tuple(column.name for column in frozen.columns)
        """What it observes, in order."""
        self.axes = tuple(axis.name for axis in frozen.axes)
        """What it quotes, in order."""
        self.units = {axis.name: axis.unit for axis in frozen.axes}
        roles = [frozen.column_of(role) for role in ROLES]
        self._inventory, self._left = roles
        self._places = {identifier(column.name): k for k, column in enumerate(frozen.columns)}
        self._places |= {identifier(role): k for role, k in zip(ROLES, roles, strict=True) if k is not None}
        self._axes = [
            (a.centre, a.scale, a.skew if frozen.kind == "gaussian" else a.grid_skew, a.grid, a.low, a.whole)
            for a in frozen.axes
        ]
        self._skewed = any(axis[2] for axis in self._axes)
        self._categorical = frozen.kind == "categorical"
        self._mean, self._std, self._skip = frozen.mean, frozen.std, frozen.skip
        *self._hidden, (self._last, self._bias) = frozen.layers
        self._ends = np.cumsum([0, *(len(axis.grid) for axis in frozen.axes)]).tolist()

    @property
    def run(self) -> str:
        """The run that it comes from."""
        return self.frozen.run

    @property
    def epoch(self) -> int:
        """The epoch of the run after which it was this policy."""
        return self.frozen.epoch

    @property
    def market(self) -> str:
        """The market that it was trained in."""
        return self.frozen.market

    def __repr__(self) -> str:
        return f"<Policy of {self.run or self.market}, epoch {self.epoch}: quotes {', '.join(self.axes)}>"

    def quote(self, observation: Any = None, **seen: float) -> Quotes:
        """The quotes for one observation: a vector in the order of `columns`, or its columns by name.

        Columns that are not named are at their mean over the steps that it learned from. Names are those of `columns`
        with `_` for what is no letter; `inventory` (shares) and `time_left` (share of the horizon, 1 at the start) are
        understood in every market. Raises TypeError for a name that it does not know, ValueError for a number that is
        not finite or a vector of another length.
        """
        raw = self._mean.copy() if observation is None else self._vector(observation)
        held, left = 0.0, 1.0
        for name, value in seen.items():
            place = self._places.get(name)
            value = _number(name, value, name == LEFT or (place is not None and place == self._left))
            if place is not None:
                raw[place] = value
            elif name == "inventory" and self._skewed:
                held = value
            elif name == "time_left" and self.frozen.fading:
                left = value
            else:
                raise TypeError(self._unknown(name))
        x = np.minimum(np.maximum((raw - self._mean) / self._std, _LOW), _HIGH)
        hidden = x
        for weight, bias in self._hidden:
            hidden = np.tanh(hidden.dot(weight) + bias)
        outputs = hidden.dot(self._last) + self._bias + x.dot(self._skip)
        found = outputs.tolist()
        if self._skewed:
            if self._inventory is not None:
                held = float(raw[self._inventory])
            if self.frozen.fading:
                held *= math.tanh((left if self._left is None else float(raw[self._left])) / self.frozen.fading)
        if not math.isfinite(sum(found) + held):
            raise ValueError(f"an observation must be finite numbers, not {raw.tolist()}")
        if self._categorical:
            found = [int(outputs[a:b].argmax()) for a, b in pairwise(self._ends)]
        quotes = []
        for number, (centre, scale, skew, grid, low, whole) in zip(found, self._axes, strict=True):
            value = grid[number] if self._categorical else centre + scale * number
            if skew:
                value += skew * held
            quotes.append(max(float(round(value)) if whole else value, low))
        return Quotes(self.axes, tuple(quotes))

    def _vector(self, observation: Any) -> npt.NDArray[np.float32]:
        """A copy of an observation that was given as a vector."""
        raw = _array(observation)
        if raw is None or raw.shape != self._mean.shape:
            raise ValueError(
                f"an observation has {len(self.columns)} numbers ({', '.join(self.columns)}), not "
                f"{brief(observation)}: give these, or some by name, as in quote(inventory=3)"
            )
        if not np.isfinite(raw).all():
            raise ValueError(f"an observation must be finite numbers, not {brief(observation)}")
        if self._left is not None and not _is_share(float(raw[self._left])):
            raise ValueError(f"{self.columns[self._left]} = {raw[self._left]:.6g} is not allowed: {SHARE}")
        return raw

    def quotes(self, observations: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """The quotes [rows, A] of many observations [rows, obs] at once. Raises ValueError unless they are finite."""
        rows = _array(observations)
        if rows is None or rows.ndim != 2 or rows.shape[1] != len(self.columns):
            raise ValueError(
                f"observations are an array [rows, {len(self.columns)}] of numbers ({', '.join(self.columns)}), "
                f"not {brief(observations) if rows is None else list(rows.shape)}"
            )
        if not np.isfinite(rows).all():
            raise ValueError("observations must be finite numbers")
        if self._left is not None:
            left = rows[:, self._left]
            wrong = (left < -SLACK) | (left > 1 + SLACK)
            if wrong.any():
                raise ValueError(f"{self.columns[self._left]} = {left[wrong][0]:.6g} is not allowed: {SHARE}")
        return self.frozen.quotes(rows)

    def _unknown(self, name: str) -> str:
        known = list(self._places)
        return f"this policy does not see {name!r}{suggestion(name, known) or ': it sees ' + ', '.join(known)}"
