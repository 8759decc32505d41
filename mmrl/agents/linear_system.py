"""ln v(t) of v' = M v backwards from the end, M tridiagonal: the heart of two closed-form agents.

exp(-M dt) is summed from non-negative terms only (M has non-positive off-diagonals, so a shift makes -M non-negative)
and the vectors stay positive: every entry keeps its relative precision, however small it is beside the others.
"""

from __future__ import annotations

import numpy as np


def log_solution(diagonal: np.ndarray, coupling: float, log_end: np.ndarray, horizon: float, steps: int) -> np.ndarray:
    """ln of expm(-M (T - t)) exp(log_end) at t = 0, dt, ..., T [steps + 1, n], M = diag - coupling off-diagonals."""
    n, dt = diagonal.size, horizon / steps
    shift = float(diagonal.max())
    positive = np.diag(shift - diagonal) + coupling * (np.eye(n, k=1) + np.eye(n, k=-1))
    halvings = max(0, int(np.ceil(np.log2(max(positive.sum(axis=1).max() * dt, 1e-300)))) + 1)
    part = positive * (dt / 2**halvings)
    term = total = np.eye(n)
    for order in range(1, 25):
        term = term @ part / order
        total = total + term
    scale = -shift * dt / 2**halvings  # the step is total times exp(scale), which alone would overflow where it is long
    for _ in range(halvings):
        total = total @ total
        most = total.max()
        total, scale = total / most, 2 * scale + np.log(most)
    out = np.empty((steps + 1, n))
    out[steps] = log_end
    for t in range(steps - 1, -1, -1):
        top = out[t + 1].max()
        # what is below the smallest number is reached from its neighbours within a step
        out[t] = top + scale + np.log(np.maximum(total @ np.exp(out[t + 1] - top), 1e-300))
    return out
