"""The minibatches of a pass: random partitions of the rows, drawn beside the pass before."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from mmrl.kernels.jit import kernel
from mmrl.kernels.shuffle import put_state, shuffle, state_of
from mmrl.rollout.arrays import Column, placed

FEW = 20_000
"""Rows that are dealt sooner than a thread is woken."""
Drawn = list[Column | None]
"""Row indices of each minibatch; None stands for all rows in order."""


def minibatches(
    rows: int, parts: int, passes: int, rng: np.random.Generator, device: str, threads: int = 1
) -> Iterator[Drawn]:
    """Those of each pass; many rows on a CPU with several threads one pass ahead, while the one before is used."""

    def draw() -> Drawn:
        return partition(rows, parts, rng, device)

    if threads <= 1 or passes <= 1 or rows < FEW or device != "cpu":  # a device draws in no time
        for _ in range(passes):
            yield draw()
        return
    with ThreadPoolExecutor(1, thread_name_prefix="minibatches") as pool:
        try:
            coming = pool.submit(draw)
        except RuntimeError:  # the machine starts no more threads
            for _ in range(passes):
                yield draw()
            return
        for _ in range(passes - 1):
            drawn, coming = coming.result(), pool.submit(draw)
            yield drawn
        yield coming.result()


def partition(rows: int, parts: int, rng: np.random.Generator, device: str) -> Drawn:
    """Row indices of each minibatch of one pass, a random partition, on a device.

    Indices rise within a minibatch: its rows are summed anyway, and memory is read in its own order. CUDA draws its own
    numbers, from a seed that `rng` gives.
    """
    parts = min(parts, rows)
    if parts <= 1:
        return [None]
    if device == "cuda":
        return _drawn_on(device, rows, parts, int(rng.integers(2**62)))
    sizes = np.full(parts, rows // parts)
    sizes[: rows % parts] += 1
    ends = np.cumsum(sizes)
    order, state = np.empty(rows, np.int64), state_of(rng)
    deal(np.empty(rows, np.int16), state, ends - sizes, order)
    put_state(rng, state)
    return [placed(part, device) for part in np.split(order, ends[:-1])]


@kernel
def deal(label: Any, state: Any, place: Any, order: Any) -> None:
    """Deal the rows, shuffled, to minibatches in turn: those of each in `order`, rising, from place[minibatch] on.

    `place` is used up; `label` is room for the minibatch of each row.
    """
    parts = place.size
    part = 0
    for k in range(label.size):
        label[k] = part
        part = part + 1 if part + 1 < parts else 0
    shuffle(label, state)
    for k in range(label.size):
        n = label[k]
        order[place[n]] = k
        place[n] += 1


def _drawn_on(device: str, rows: int, parts: int, seed: int) -> Drawn:
    """The same with random numbers of the device's own."""
    import torch

    order = torch.randperm(rows, generator=torch.Generator(device).manual_seed(seed), device=device)
    label = torch.empty(rows, dtype=torch.int32, device=device)
    label[order] = torch.arange(rows, dtype=torch.int32, device=device) % parts
    return [(label == part).nonzero()[:, 0] for part in range(parts)]
