"""Rows a second that LOBSTER files are read at, beside Python's csv module: python -m benchmarks.readers [ROWS]"""

from __future__ import annotations

import csv
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mmrl.data.recognise import read


def write(folder: Path, rows: int) -> list[Path]:
    """A day of random messages and rows of the book, one level."""
    rng = np.random.default_rng(0)
    at = np.sort(34_200 + 23_400 * rng.random(rows))
    bid = 1_000_000 + 100 * rng.integers(0, 100, rows)
    message = [at, rng.integers(1, 5, rows), np.arange(1, rows + 1), rng.integers(1, 500, rows), bid]
    message.append(rng.choice([-1, 1], rows))
    book = [bid + 100, rng.integers(1, 900, rows), bid, rng.integers(1, 900, rows)]
    paths = [folder / f"X_2024-01-02_34200000_57600000_{what}_1.csv" for what in ("message", "orderbook")]
    for path, columns, form in ((paths[0], message, "%.9f,%d,%d,%d,%d,%d\n"), (paths[1], book, "%d,%d,%d,%d\n")):
        with path.open("w") as file:
            file.writelines(form % row for row in zip(*(column.tolist() for column in columns), strict=True))
    return paths


def plainly(paths: list[Path]) -> None:
    """The same text, as numbers, by the csv module."""
    with paths[0].open() as message, paths[1].open() as book:
        for row, beside in zip(csv.reader(message), csv.reader(book), strict=True):
            float(row[0]), [int(text) for text in row[1:]], [int(text) for text in beside]


def report(name: str, rows: int, work: Callable[[], object]) -> None:
    """Print the speed of the faster of three runs, by the clock and by processor time."""
    taken = []
    for _ in range(3):
        start, used = time.perf_counter(), time.process_time()
        work()
        taken.append((time.perf_counter() - start, time.process_time() - used))
    wall, cpu = (rows / min(times) / 1e6 for times in zip(*taken, strict=True))
    print(f"{name}: {wall:.2f} million rows a second, {cpu:.2f} a second of processor time")


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    with tempfile.TemporaryDirectory() as place:
        files = write(Path(place), count)
        report("mmrl.data", count, lambda: read(files))
        report("csv.reader", count, lambda: plainly(files))
