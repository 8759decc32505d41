"""The profile of an episode file: how a batch went over time.

Shapes: N trajectories, P steps that are kept, nnz live steps (rows of the CSR batch).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from mmrl.kernels.jit import kernel
from mmrl.rollout.trajectories import Trajectories

POINTS = 400
PLAIN, LESS, PRODUCT, WHOLE = range(4)
"""What is shown of two columns a, b and the inventory q: a, a - b, a + q b or q."""
SHOWN = {
    "mid": (PLAIN, "mid", "mid"),
    "bid": (PLAIN, "bid", "bid"),
    "ask": (PLAIN, "ask", "ask"),
    "inventory": (WHOLE, "mid", "mid"),
    "value": (PRODUCT, "cash", "mid"),
    "spread": (LESS, "ask", "bid"),
    "wealth": (PLAIN, "cash", "cash"),
}
TOGETHER = 4
"""Trajectories whose numbers are copied beside each other."""
Part = Callable[[], dict[str, np.ndarray]]


def profile_parts(batch: Trajectories, points: int = POINTS) -> list[Part]:
    """What computes the profile, one quantity each; they may be called at once: per-time mean, standard error and
    5 % / 95 % quantiles over the trajectories alive, and one trajectory.

    At most `points` steps are kept, evenly spaced; the trajectory is the longest of the batch.
    """
    starts, lengths = batch.offsets[:-1], np.diff(batch.offsets)
    longest = int(lengths.argmax())
    steps = np.unique(np.linspace(0, lengths[longest] - 1, min(points, lengths[longest])).astype(np.int64))
    count = len(lengths) - np.sort(lengths).searchsorted(steps, "right")
    inventory = np.ascontiguousarray(batch.inventory, np.int32)

    def sampled(kind: int, first: str, second: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        a, b = (np.ascontiguousarray(getattr(batch, name), np.float64) for name in (first, second))
        found = np.empty((len(steps), len(lengths))), np.empty(len(steps)), np.empty(len(steps))
        over_time(kind, (a, b, inventory), starts, lengths, steps, count, found)
        return found

    def time() -> dict[str, np.ndarray]:
        sample, mean, _ = sampled(PLAIN, "time", "time")
        return {"alive": count, "time": _moments(sample, mean)}

    def shown(name: str) -> dict[str, np.ndarray]:
        sample, mean, deviation = sampled(*SHOWN[name])
        replay = sample[:, longest].copy()
        low, high = _quantiles(sample, (0.05, 0.95))
        found = {"mean": mean, "se": deviation / np.sqrt(count), "q05": low, "q95": high}
        return {f"{name}_{what}": array for what, array in found.items()} | {f"replay_{name}": replay}

    return [time, *(partial(shown, name) for name in SHOWN)]


@kernel
def over_time(kind, columns, starts, lengths, steps, count, found):  # type: ignore[no-untyped-def]
    """One quantity of a batch, made of columns a, b, q, at each step of `steps` [P] of each trajectory into a sample
    [P, N], NaN where it has ended; its mean and standard deviation over the `count` [P] trajectories alive, summed up
    in their order as numpy does. All three are `found`."""
    a, b, q = columns
    sample, mean, std = found
    trajectories, points = starts.size, steps.size
    mean[:] = 0.0
    for first in range(0, trajectories, TOGETHER):
        last = min(first + TOGETHER, trajectories)
        for p in range(points):
            total = mean[p]
            for n in range(first, last):
                number = np.nan
                if steps[p] < lengths[n]:
                    row = np.uint64(starts[n] + steps[p])  # unsigned, so that it is not tested for being negative
                    number = a[row]
                    if kind == LESS:
                        number -= b[row]
                    elif kind == PRODUCT:
                        number += q[row] * b[row]
                    elif kind == WHOLE:
                        number = float(q[row])
                    total += number
                sample[p, n] = number
            mean[p] = total
    for p in range(points):
        mean[p] /= count[p]
        total = 0.0
        for n in range(trajectories):
            if steps[p] < lengths[n]:
                beyond = sample[p, n] - mean[p]
                total += beyond * beyond
        std[p] = np.sqrt(total / count[p])


def _moments(moments: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The moments [P] of steps [P, N]: their mean where steps differ in length from one trajectory to the next."""
    first = np.nanmin(moments, axis=1)
    return np.where(first == np.nanmax(moments, axis=1), first, mean)


def _quantiles(sample: np.ndarray, shares: tuple[float, ...]) -> list[np.ndarray]:
    """Quantiles [P] of the numbers of each row of a sample [P, N], which is sorted; NaN are no numbers."""
    sample.sort(axis=1)  # NaN last
    last = np.full(len(sample), sample.shape[1] - 1)
    if np.isnan(sample[:, -1]).any():
        last = np.maximum(last - np.isnan(sample).sum(axis=1), 0)
    return [_of_sorted(sample, last, share) for share in shares]


def _of_sorted(rows: np.ndarray, last: np.ndarray, share: float) -> np.ndarray:
    """A quantile [P] of each of some sorted rows [P, N] up to the number at `last` [P], to the last bit that of
    numpy.quantile, which takes five times as long."""
    place = share * last
    below, row = place.astype(np.int64), np.arange(len(rows))
    low, high, beyond = rows[row, below], rows[row, np.minimum(below + 1, last)], place - below
    return np.where(beyond < 0.5, low + (high - low) * beyond, high - (high - low) * (1 - beyond))
