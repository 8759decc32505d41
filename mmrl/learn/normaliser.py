"""Running mean and variance of observations and returns."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmrl.kernels.jit import kernel
from mmrl.rollout.arrays import CHUNK, Column, host, library

LEAST_STD = 1e-30
"""Below it a column has not varied, as float32 would hold no quotient; not more, as prices may be of any scale."""


@kernel
def _centred_sums(rows: Any, centre: Any, sums: Any, squares: Any) -> None:
    for k in range(rows.shape[0]):
        for j in range(rows.shape[1]):
            x = rows[k, j] - centre[j]
            sums[j] += x
            squares[j] += x * x


def column_statistics(rows: Column) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance [size] of the columns of rows [n, size], in one pass, summed in float64.

    Centred on the first row, so that a large mean costs no digits of the variance. Rows may be a tensor on a device.
    """
    if not isinstance(rows, np.ndarray):
        return _of_tensor(rows)
    centre = rows[0].astype(np.float64)
    sums, squares = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    _centred_sums(rows, centre, sums, squares)
    shift = sums / len(rows)
    return centre + shift, np.maximum(squares / len(rows) - shift**2, 0.0)


def _of_tensor(rows: Column) -> tuple[np.ndarray, np.ndarray]:
    torch = library(rows)
    centre = rows[0].double()
    sums = torch.zeros(2, rows.shape[1], dtype=torch.float64, device=rows.device)
    for part in rows.split(CHUNK):
        centred = part.double() - centre
        sums += torch.stack([centred.sum(0), centred.square().sum(0)])
    shift, square = sums / len(rows)
    return host(centre + shift), host((square - shift**2).clamp(min=0.0))


class RunningNormaliser:
    """Running mean and variance of columns [size], merged batch by batch (Chan, Golub and LeVeque 1979).

    `horizon` caps the weight of the past in rows (0: never forgets), for statistics that drift.
    """

    def __init__(self, size: int, horizon: float = 0.0) -> None:
        self.count = 0.0
        self.horizon = float(horizon)
        self.mean = np.zeros(size)
        self.var = np.ones(size)

    @property
    def std(self) -> np.ndarray:
        """Standard deviation [size]; 1 for a column that has not varied yet."""
        std = np.sqrt(self.var)
        return np.where(std > np.maximum(1e-8 * np.abs(self.mean), LEAST_STD), std, 1.0)

    def update(self, rows: Any) -> None:
        """Merge raw rows [n, size]; non-finite input raises ValueError and changes nothing."""
        rows = host(rows)
        rows = rows.reshape(-1, self.mean.size)
        if len(rows):
            self.merge(float(len(rows)), *column_statistics(rows))

    def update_normalised(self, rows: Column) -> None:
        """Merge rows [n, size] that were normalised by these very statistics (clipped ones as they are)."""
        if len(rows):
            mean, var = column_statistics(rows)
            self.merge(float(len(rows)), self.mean + self.std * mean, self.std**2 * var)

    def merge(self, count: float, mean: np.ndarray, var: np.ndarray) -> None:
        """Merge the statistics of `count` further rows, given their mean and variance [size]."""
        if not (np.isfinite(mean).all() and np.isfinite(var).all()):
            raise ValueError("statistics of non-finite observations cannot be merged")
        if self.horizon and self.count > self.horizon:
            self.count = self.horizon
        total = self.count + count
        delta = mean - self.mean
        if self.count == 0:
            self.mean, self.var = mean.copy(), var.copy()
        else:
            self.var = (self.count * self.var + count * var + delta**2 * self.count * count / total) / total
            self.mean = self.mean + delta * count / total
        self.count = total

    def raw(self, normalised: np.ndarray) -> np.ndarray:
        """Undo normalise() [rows, size] for rows that were not clipped."""
        return normalised * self.std.astype(np.float32) + self.mean.astype(np.float32)

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        state = {"count": self.count, "horizon": self.horizon}
        return {**state, "mean": self.mean.tolist(), "var": self.var.tolist()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what state_dict() gave."""
        self.count, self.horizon = float(state["count"]), float(state["horizon"])
        self.mean = np.asarray(state["mean"], dtype=np.float64)
        self.var = np.asarray(state["var"], dtype=np.float64)
