"""Compiles the learner's kernels into the cache on disk, as a process beside that which compiles a market's.

Compiling holds a lock of the process, so a second core helps only in a second process.
"""

from __future__ import annotations

import subprocess

import numpy as np

from mmrl.kernels.shares import counters_of
from mmrl.kernels.threads import put, wait
from mmrl.learn import compiled_pass, discounting, minibatches, normaliser
from mmrl.learn.adam import Adam
from mmrl.learn.compiled_pass import LEFT
from mmrl.learn.layout import Layout
from mmrl.learn.profile import over_time
from mmrl.learn.team import Pass
from mmrl.learn.value import Regression, ValueFunction
from mmrl.runs.processes import environment, python


def start() -> subprocess.Popen[bytes]:
    """Begin in the background; whoever needs the kernels waits, and compiles what did not arrive."""
    quiet = subprocess.DEVNULL
    return subprocess.Popen(python(__name__), stdin=quiet, stdout=quiet, stderr=quiet, env=environment())


def main() -> None:
    """Call every kernel once, through the functions that the learner calls, on one row."""
    row, one = np.zeros((1, 1), np.float32), np.zeros(1, np.float32)
    network = compiled_pass.Weights(np.zeros(3, np.float32), np.array([1, 1], np.int64))
    loss = compiled_pass.Loss(one, np.zeros(0, np.int64), compiled_pass.CLIP, 0.2, 0.0)
    rows = compiled_pass.Rows(row, row, one, one)
    Pass(rows, network, loss).sums(np.zeros(1, np.int64))
    counters = counters_of(1, 0)
    put(counters, LEFT, 0)
    wait(counters)
    normaliser.column_statistics(row)
    normaliser.column_statistics(row.astype(np.float64))
    regression = Regression(ValueFunction(1, np.random.default_rng(0)), row)
    regression.predict(regression.fit(np.zeros(1)))
    minibatches.partition(2, 2, np.random.default_rng(0), "cpu")
    Adam(Layout({"": (1,)}), one.copy(), 0.0).step(one.copy(), one)
    columns, starts = (*np.zeros((5, 1)), np.zeros(1, np.int32)), np.zeros(1, np.int64)
    found = (np.zeros((7, 1, 1)), np.zeros((7, 1)), np.zeros((7, 1)), np.zeros(1))
    over_time(columns, starts, starts + 1, starts, starts + 1, found)
    discounting.discounted_sums(np.zeros(1), np.array([0, 1]), np.zeros(1))


if __name__ == "__main__":
    main()
