"""What a rollout and a gradient cost as their sizes grow, and how near they come to what the machine can do.

    python -m benchmarks.growth [--rounds N] [--json]

On one thread, in CPU time, `book` under an untrained policy; medians of the rounds, in which all sizes take turns. A
line is fitted to each row of sizes, with the least relative error: what a call, a trajectory or a step costs anyway,
and what one more of each adds. Then floating-point operations of the gradient beside numpy's matrix products of the
same shapes, and bytes that a rollout records beside a copy of memory.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # before numpy loads what reads them
    os.environ |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")

import argparse
import json
import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from mmrl.bench.calibration import copy, product
from mmrl.bench.clock import seconds_of
from mmrl.bench.learner import gradient
from mmrl.bench.rollout import compiled, configured
from mmrl.learn.policy import make_policy
from mmrl.markets.contract import spec_of
from mmrl.rollout.buffers import Buffers

BATCHES, STEPS, UNITS = (8, 32, 128, 512, 2_048), (200, 1_000, 4_000, 16_000), (4, 8, 16, 32, 64)
BOOKS = (1_000, 10_000, 100_000, 240_000)
ROWS = 32_768
Measure = Callable[[], float]


def seconds_a_call(steps: int, batch: int, **settings: Any) -> Measure:
    """Seconds of a rollout of so many trajectories of so many steps."""
    rate = compiled(None, {"nt": steps, "nb": batch, **settings})
    return lambda: steps * batch / rate()


def measures() -> dict[str, dict[int, Measure]]:
    """What is measured, by its name and size, in seconds."""
    return {
        "trajectories a call, of 500 steps": {n: seconds_a_call(500, n) for n in BATCHES},
        "steps a trajectory, of 32": {n: seconds_a_call(n, 32) for n in STEPS},
        "units of two hidden layers, 32 x 2 000 steps": {n: seconds_a_call(2_000, 32, layer_size=n) for n in UNITS},
        "shares of the book, 32 x 2 000 steps": {n: seconds_a_call(2_000, 32, book_size=n) for n in BOOKS},
    }


def line(sizes: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """Constant and slope of the line with the least relative error."""
    slope, constant = np.polyfit(sizes, seconds, 1, w=1.0 / np.asarray(seconds))
    return float(constant), float(slope)


def multiplications(sizes: Sequence[int]) -> int:
    """Of one row through a network of these layers and the linear map of its inputs."""
    return sum(a * b for a, b in pairwise(sizes)) + sizes[0] * sizes[-1]


def layers_of(units: int) -> tuple[int, ...]:
    """The layers of the policy of `book` with so many units."""
    return make_policy(configured(None, {"layer_size": units})).sizes


def operations(sizes: Sequence[int]) -> int:
    """Floating-point operations of the products in the gradient of a row: of outputs, weights, and hidden units."""
    return 2 * (3 * multiplications(sizes) - sizes[0] * (sizes[1] + sizes[-1]))


def products(sizes: Sequence[int]) -> Measure:
    """Operations a second of numpy's matrix products of the same shapes, over 4 096 rows."""
    rng, rows = np.random.default_rng(0), 4_096

    def some(*shape: int) -> Any:
        return rng.random(shape, dtype=np.float32)

    jobs = []
    for k, (a, b) in enumerate([*pairwise(sizes), (sizes[0], sizes[-1])]):
        jobs += [(some(rows, a), some(a, b)), (some(a, rows), some(rows, b))]
        jobs += [(some(rows, b), some(b, a))] if 0 < k < len(sizes) - 1 else []
    assert 2 * sum(x.shape[0] * x.shape[1] * y.shape[1] for x, y in jobs) == rows * operations(sizes)

    def work() -> None:
        for x, y in jobs:
            np.matmul(x, y)

    return lambda: rows * operations(sizes) / seconds_of(work)


def recorded() -> int:
    """Bytes that a step of `book` leaves in a batch of a training."""
    spec = spec_of(configured(None, {}))
    rows = Buffers(flows=False).rows(1, len(spec.columns), len(spec.axes))
    return sum(column[:1].nbytes for column in rows)


def main() -> int:
    """Measure all and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="turns of each case")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error("--rounds must be at least 1")
    sizes = layers_of(16)
    rates = {
        "book, 100 x 2 000, steps/s": compiled(None, {"nt": 2_000, "nb": 100}),
        "gradient, rows/s": gradient(ROWS, 1),
        "its products by numpy, FLOP/s": products(sizes),
        "a product of 256 x 256, FLOP/s": product(),
        "a copy, bytes/s": copy(),
    }
    grown = measures()
    found: dict[str, list[float]] = {name: [] for name in rates}
    spent: dict[str, dict[int, list[float]]] = {name: {n: [] for n in cases} for name, cases in grown.items()}
    for _ in range(given.rounds):
        for name, rate in rates.items():
            found[name].append(rate())
        for name, cases in grown.items():
            for n, seconds in cases.items():
                spent[name][n].append(seconds())
    known = {name: statistics.median(values) for name, values in found.items()}
    costs = {name: {n: statistics.median(values) for n, values in of.items()} for name, of in spent.items()}
    steps, rows, shapes, whole, copied = known.values()
    shares = {
        "gradient, GFLOP/s of its products": rows * operations(sizes) / 1e9,
        "as a share of numpy's products of the same shapes": rows * operations(sizes) / shapes,
        "as a share of a product of 256 x 256": rows * operations(sizes) / whole,
        "network of a rollout as a share of that": 2 * steps * multiplications(sizes) / whole,
        "bytes recorded a step": recorded(),
        "written in a rollout as a share of what a copy writes": steps * recorded() / (copied / 2),
    }
    if given.json:
        print(json.dumps({"seconds": costs, "rates": known, "shares": shares}))
        return 0
    for name, of in costs.items():
        print(f"\n{name}: " + ", ".join(f"{n:,}: {1e3 * value:.3g} ms" for n, value in of.items()))
    batches, lengths, units, _ = costs.values()
    constant, slope = line(list(batches), list(batches.values()))
    print(f"\na call {1e6 * constant:.0f} microseconds, a trajectory of 500 steps {1e6 * slope:.1f}")
    constant, slope = line([32 * n for n in lengths], list(lengths.values()))
    print(f"a trajectory {1e6 * constant / 32:.1f} microseconds, a step {1e9 * slope:.1f} ns")
    sizes_of = [multiplications(layers_of(n)) for n in units]
    constant, slope = line(sizes_of, [value / 64_000 for value in units.values()])
    print(f"a step {1e9 * constant:.0f} ns, and {1e12 * slope:.0f} for each thousand multiplications of the network")
    for name, value in (known | shares).items():
        print(f"{name}: {value:.3g}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
