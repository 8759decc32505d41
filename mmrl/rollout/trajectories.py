"""One batch of ragged trajectories in compressed sparse row (CSR) layout.

Legend used throughout: N trajectories, T steps at most, A action dimensions, nnz live steps in all.
Dead steps do not exist here: row k of every per-step array is one step that really happened, and
trajectory n owns the rows offsets[n]:offsets[n + 1], in the order of time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mmrl.kernels.account import FLOWS
from mmrl.rollout.arrays import following, library
from mmrl.rollout.arrays import host as _numpy

Float64 = npt.NDArray[np.float64]
Float32 = npt.NDArray[np.float32]
Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Bool = npt.NDArray[np.bool_]
Array = Any  # numpy.ndarray or torch.Tensor

PER_STEP = [
    "observation",
    "action",
    "log_prob",
    "reward",
    "time",
    "cash",
    "inventory",
    "mid",
    "bid",
    "ask",
]  # first axis nnz
PER_TRAJECTORY = [
    "final_time",
    "final_value",
    "final_cash",
    "final_inventory",
    "final_mid",
    "terminated",
    "last_observation",
]  # first axis N


class NoLiveSteps(ValueError):
    """The batch holds no live step, so there is nothing to learn from."""


@dataclass(frozen=True)
class ByStep:
    """Statistics over the trajectories alive at each time step (CSC view): count, mean and std, each [T]."""

    count: npt.NDArray[np.int64]
    mean: npt.NDArray[np.float64]
    std: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Trajectories:
    """A CSR batch of N trajectories with nnz live steps in all; money in currency.

    All columns of a batch that the tensor or the cuda engine played are tensors until `numpy()`.
    """

    offsets: Int64  # [N+1]
    observation: Float32  # [nnz, obs], normalised, as the policy saw it
    action: Float32  # [nnz, A], in the policy's own units (categorical: the index)
    log_prob: Float32  # [nnz]
    reward: Float64  # [nnz], the final reward is part of the last row where due
    time: Float64  # [nnz], in the market's unit; what stands is as before the row's action
    cash: Float64  # [nnz]
    inventory: Int32  # [nnz]
    mid: Float64  # [nnz]
    bid: Float64  # [nnz], best bid after the maker's action
    ask: Float64  # [nnz], best ask after the maker's action
    bought: Int32  # [nnz], shares in the step; all flows are empty in a batch to learn from
    sold: Int32  # [nnz]
    paid: Float64  # [nnz]
    received: Float64  # [nnz]
    revaluation: Float64  # [nnz], sum of the inventory times each move of the mid
    final_time: Float64  # [N]
    final_value: Float64  # [N]
    final_cash: Float64  # [N]
    final_inventory: Int32  # [N]
    final_mid: Float64  # [N]
    terminated: Bool  # [N], the market ended the episode (False: time ran out)
    last_observation: Float32  # [N, obs], the observation after the last step
    split: Float64 | None = None  # [N, S], parts of the profit as the spec names them
    live: Bool | None = None  # [nnz], only in a padded batch: False on rows that pad() added

    @property
    def step(self) -> Int32:
        """Which step of its trajectory each row is, int32 [nnz], counted from 0."""
        first, lib = self.offsets[:-1], library(self.offsets)
        if lib is np:
            return (np.arange(self.nnz) - np.repeat(first, self.lengths)).astype(np.int32)
        counted: Array = lib.arange(self.nnz, device=first.device) - lib.repeat_interleave(first, self.lengths)
        return counted.int()  # type: ignore[no-any-return]

    @property
    def value(self) -> Float64:
        """W_t + I_t S_t of each row [nnz]."""
        return self.cash + self.inventory * self.mid

    def after(self, name: str) -> Array:
        """What a column that stands (time, cash, inventory, mid, value) is after each row [nnz]."""
        return following(getattr(self, name), self.offsets, getattr(self, f"final_{name}"))

    @property
    def count(self) -> int:
        """Number of trajectories N."""
        return int(self.offsets.shape[0]) - 1

    @property
    def nnz(self) -> int:
        """Number of live steps in the batch."""
        return int(self.observation.shape[0])

    @property
    def lengths(self) -> Int64:
        """Steps of each trajectory [N]."""
        return self.offsets[1:] - self.offsets[:-1]

    @property
    def columns(self) -> list[str]:
        """Names of the columns of one row a step that were recorded."""
        return PER_STEP + [name for name in FLOWS if self.nnz == 0 or getattr(self, name).shape[0] > 0]

    def validate(self) -> Trajectories:
        """Check shapes and offsets; returns the batch itself or raises ValueError."""
        offsets = _numpy(self.offsets)
        if offsets.ndim != 1 or offsets.size < 2:
            raise ValueError("offsets must be one-dimensional with N + 1 >= 2 entries")
        if offsets[0] != 0 or np.any(np.diff(offsets) < 0) or offsets[-1] != self.nnz:
            raise ValueError(f"offsets must rise from 0 to the number of rows, {self.nnz}")
        for names, rows in ((self.columns, self.nnz), (PER_TRAJECTORY, self.count)):
            for name in names:
                if int(getattr(self, name).shape[0]) != rows:
                    raise ValueError(f"{name} has {getattr(self, name).shape[0]} rows where {rows} are due")
        return self

    def require_live(self) -> Trajectories:
        """Return the batch, or raise NoLiveSteps when not one step of it is alive."""
        if self.nnz == 0:
            raise NoLiveSteps(
                f"all {self.count} trajectories ended before their first step, so the batch has no "
                "live steps: nothing can be learned from it; use a larger book or gentler market orders"
            )
        return self

    def numpy(self) -> Trajectories:
        """The same batch as numpy arrays on the host (no copy where it already is)."""
        return self._each(_numpy)

    def on(self, device: Any) -> Trajectories:
        """The same batch as tensors on a device (no copy where it already is)."""
        import torch

        return self._each(lambda column: torch.as_tensor(column, device=device))

    def _each(self, change: Callable[[Array], Array]) -> Trajectories:
        columns = ((f.name, getattr(self, f.name)) for f in fields(self))
        changed: dict[str, Array] = {name: None if column is None else change(column) for name, column in columns}
        return replace(self, **changed)

    def segment_sum(self, values: Array) -> npt.NDArray[np.float64]:
        """Sum of per-row values [nnz] within each trajectory, float64 [N] on the host (0 for an empty one)."""
        if not isinstance(self.offsets, np.ndarray) and self.nnz and self.offsets.device.type != "mps":
            return _numpy(library(values).segment_reduce(values.double(), "sum", offsets=self.offsets))
        offsets, flat = _numpy(self.offsets), np.asarray(_numpy(values), dtype=np.float64)
        out = np.zeros(self.count)
        filled = offsets[:-1] < offsets[1:]
        if filled.any():  # reduceat reads a row even for an empty segment, hence only the filled ones
            out[filled] = np.add.reduceat(flat, offsets[:-1][filled])
        return out

    def segment_mean(self, values: Array) -> npt.NDArray[np.float64]:
        """Mean of per-row values [nnz] within each trajectory, float64 [N] (nan for an empty one)."""
        lengths = np.diff(_numpy(self.offsets))
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(lengths > 0, self.segment_sum(values) / lengths, np.nan)

    def segment_ids(self) -> npt.NDArray[np.int64]:
        """Trajectory of each row, int64 [nnz]."""
        return np.repeat(np.arange(self.count), np.diff(_numpy(self.offsets)))

    def to_sparse_csr(self, values: Array | str, steps: int | None = None) -> Any:
        """A torch.sparse_csr_tensor [N, T] over per-row values [nnz] or a field, sharing memory."""
        import torch

        data = getattr(self, values) if isinstance(values, str) else values
        size = (self.count, self._horizon(steps), *tuple(data.shape[1:]))
        return torch.sparse_csr_tensor(
            torch.as_tensor(self.offsets),
            torch.as_tensor(self.step).to(torch.int64),
            torch.as_tensor(data),
            size=size,
            check_invariants=False,
        )

    def to_dense(
        self, values: Array | str, steps: int | None = None, fill: float = 0.0
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.bool_]]:
        """Per-row values as a padded array [N, T, ...] and the mask [N, T] of live steps."""
        data = _numpy(getattr(self, values) if isinstance(values, str) else values)
        horizon, rows, columns = self._horizon(steps), self.segment_ids(), _numpy(self.step)
        dense = np.full((self.count, horizon, *data.shape[1:]), fill, dtype=data.dtype)
        mask = np.zeros((self.count, horizon), dtype=bool)
        dense[rows, columns] = data
        mask[rows, columns] = True
        return dense, mask

    def by_step(self, values: Array | str, steps: int | None = None) -> ByStep:
        """Count, mean and std over the trajectories alive at each time step, each [T] (nan where none is)."""
        data = np.asarray(_numpy(getattr(self, values) if isinstance(values, str) else values), dtype=np.float64)
        step, horizon = _numpy(self.step), self._horizon(steps)
        count = np.bincount(step, minlength=horizon)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.bincount(step, weights=data, minlength=horizon) / count
            # around the mean, in a second pass: V_t ~ 1e4 would lose its variance in a sum of squares
            square = np.bincount(step, weights=(data - mean[step]) ** 2, minlength=horizon) / count
        return ByStep(count.astype(np.int64), mean, np.sqrt(square))

    def pad(self, nt: int) -> Trajectories:
        """Every trajectory at the fixed length nt: added rows have zero observation, action and reward."""
        t = self.numpy()
        lengths, n = np.diff(t.offsets), t.count
        if lengths.size and lengths.max() > nt:
            raise ValueError(f"cannot pad to {nt} steps: a trajectory has {lengths.max()}")
        target = t.segment_ids() * nt + (np.arange(t.nnz) - np.repeat(t.offsets[:-1], lengths))
        live = np.zeros(n * nt, dtype=bool)
        live[target] = True
        held: dict[str, npt.NDArray[Any]] = {
            "time": t.final_time,
            "cash": t.final_cash,
            "inventory": t.final_inventory,
            "mid": t.final_mid,
        }
        new: dict[str, Any] = {}
        for name in t.columns:
            old = getattr(t, name)
            if name in held:  # money and shares stay what they were at the end
                padded = np.repeat(held[name], nt).astype(old.dtype)
            elif name in ("bid", "ask"):
                padded = np.repeat(t.final_mid, nt).astype(old.dtype)
            else:
                padded = np.zeros((n * nt, *old.shape[1:]), dtype=old.dtype)
            padded[target] = old
            new[name] = padded
        if t.live is not None:
            live[target] = t.live
        return replace(t, offsets=np.arange(n + 1, dtype=np.int64) * nt, live=live, **new)

    def without_padding(self) -> Trajectories:
        """The live rows only: undoes pad(); a batch that never was padded is returned as it is."""
        if self.live is None:
            return self
        t = self.numpy()
        live = np.asarray(t.live)
        offsets = np.concatenate([[0], np.cumsum(t.segment_sum(live))]).astype(np.int64)
        return replace(t, offsets=offsets, live=None, **{name: getattr(t, name)[live] for name in t.columns})

    def _horizon(self, steps: int | None) -> int:
        longest = int(self.lengths.max()) if self.nnz else 0
        if steps is not None and steps < longest:
            raise ValueError(f"a trajectory reaches step {longest - 1}, beyond the {steps} steps asked for")
        return longest if steps is None else steps
