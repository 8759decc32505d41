"""The profile of an episode file: how a batch went over time.

Shapes: N trajectories, P steps that are kept, nnz live steps (rows of the CSR batch).
"""

from __future__ import annotations

import numpy as np

from mmrl.kernels.jit import kernel
from mmrl.rollout.trajectories import Trajectories

POINTS = 250
SHOWN = ("mid", "bid", "ask", "inventory", "value", "spread", "wealth")
"""What is shown, in the order in which over_time() has it."""
TOGETHER = 8
"""Trajectories whose numbers are copied beside each other."""
NUMBERS = 2**17
"""That one part gathers: as many as stay in the cache of a core."""


class Profile:
    """Per-time mean, standard error and 5 % / 95 % quantiles over the trajectories alive, and one trajectory.

    At most `points` steps are kept, evenly spaced; the trajectory is the longest of the batch. part() computes some of
    the steps, and may be called for several parts at once; then arrays() has all.
    """

    def __init__(self, batch: Trajectories, points: int = POINTS) -> None:
        self._starts, self._lengths = batch.offsets[:-1], np.diff(batch.offsets)
        self._longest = int(self._lengths.argmax())
        longest = self._lengths[self._longest]
        self._steps = np.unique(np.linspace(0, longest - 1, min(points, longest)).astype(np.int64))
        self._count = len(self._lengths) - np.sort(self._lengths).searchsorted(self._steps, "right")
        names = ("mid", "bid", "ask", "cash", "time")
        prices = tuple(np.ascontiguousarray(getattr(batch, name), np.float64) for name in names)
        self._columns = (*prices, np.ascontiguousarray(batch.inventory, np.int32))
        self._time = np.empty(len(self._steps))
        self._found = {
            what: np.empty((len(SHOWN), len(self._steps))) for what in ("mean", "se", "q05", "q95", "replay")
        }
        self._size = max(NUMBERS // (len(SHOWN) * len(self._lengths)), 1)
        self.parts = -(-len(self._steps) // self._size)

    def part(self, k: int) -> None:
        """Compute part k of so many `parts`."""
        at = slice(k * self._size, (k + 1) * self._size)
        steps, count = self._steps[at], self._count[at]
        sample = np.empty((len(SHOWN), len(steps), len(self._lengths)))
        mean, deviation = np.empty((len(SHOWN), len(steps))), np.empty((len(SHOWN), len(steps)))
        over_time(self._columns, self._starts, self._lengths, steps, count, (sample, mean, deviation, self._time[at]))
        self._found["replay"][:, at] = sample[:, :, self._longest]
        sample.sort(axis=2)  # NaN, of those that have ended, last
        self._found["mean"][:, at], self._found["se"][:, at] = mean, deviation / np.sqrt(count)
        for name, share in (("q05", 0.05), ("q95", 0.95)):
            self._found[name][:, at] = _quantile(sample, count, share)

    def arrays(self) -> dict[str, np.ndarray]:
        """The arrays [P] by name, once all parts are computed."""
        profile = {"alive": self._count, "time": self._time}
        for k, name in enumerate(SHOWN):
            profile |= {f"{name}_{what}": self._found[what][k] for what in ("mean", "se", "q05", "q95")}
            profile[f"replay_{name}"] = self._found["replay"][k]
        return profile


@kernel
def over_time(columns, starts, lengths, steps, count, found):  # type: ignore[no-untyped-def]
    """What is shown of a batch at each step of `steps` [P] of each trajectory into a sample [7, P, N], NaN where it has
    ended; its means and standard deviations [7, P] over the `count` [P] trajectories alive, summed up in their order as
    numpy does, and the mean time [P], to the last bit that of all where it is one. All four are `found`."""
    mids, bids, asks, cash, times, inventory = columns
    sample, mean, std, clock = found
    trajectories, points = starts.size, steps.size
    mean[:] = 0.0
    clock[:] = 0.0
    for first in range(0, trajectories, TOGETHER):
        last = min(first + TOGETHER, trajectories)
        for p in range(points):
            mid_sum, bid_sum, ask_sum, held_sum = mean[0, p], mean[1, p], mean[2, p], mean[3, p]
            value_sum, spread_sum, wealth_sum = mean[4, p], mean[5, p], mean[6, p]
            for n in range(first, last):
                if steps[p] >= lengths[n]:
                    for k in range(7):
                        sample[k, p, n] = np.nan
                    continue
                row = np.uint64(starts[n] + steps[p])  # unsigned, so that it is not tested for being negative
                mid, bid, ask, held, wealth = mids[row], bids[row], asks[row], float(inventory[row]), cash[row]
                value, spread = wealth + held * mid, ask - bid
                sample[0, p, n], sample[1, p, n], sample[2, p, n], sample[3, p, n] = mid, bid, ask, held
                sample[4, p, n], sample[5, p, n], sample[6, p, n] = value, spread, wealth
                mid_sum += mid
                bid_sum += bid
                ask_sum += ask
                held_sum += held
                value_sum += value
                spread_sum += spread
                wealth_sum += wealth
                clock[p] += times[row]
            mean[0, p], mean[1, p], mean[2, p], mean[3, p] = mid_sum, bid_sum, ask_sum, held_sum
            mean[4, p], mean[5, p], mean[6, p] = value_sum, spread_sum, wealth_sum
    for p in range(points):
        low, high = np.inf, -np.inf
        for n in range(trajectories):
            if steps[p] < lengths[n]:
                time = times[np.uint64(starts[n] + steps[p])]
                low, high = min(low, time), max(high, time)
        clock[p] = low if low == high else clock[p] / count[p]
        for k in range(7):
            mean[k, p] /= count[p]
            total = 0.0
            for n in range(trajectories):
                if steps[p] < lengths[n]:
                    beyond = sample[k, p, n] - mean[k, p]
                    total += beyond * beyond
            std[k, p] = np.sqrt(total / count[p])


def _quantile(rows: np.ndarray, count: np.ndarray, share: float) -> np.ndarray:
    """A quantile [7, P] of the first `count` [P] numbers of sorted rows [7, P, N], to the last bit that of
    numpy.quantile, which takes five times as long."""
    place = share * (count - 1)
    below, at = place.astype(np.int64), np.arange(len(count))
    low, high, beyond = rows[:, at, below], rows[:, at, np.minimum(below + 1, count - 1)], place - below
    return np.where(beyond < 0.5, low + (high - low) * beyond, high - (high - low) * (1 - beyond))
