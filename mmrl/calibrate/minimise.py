"""Minimum of a smooth function by the quasi-Newton method BFGS (Nocedal & Wright 2006, algorithm 6.1)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from mmrl.calibrate.blocks import Floats

Function = Callable[[Floats], tuple[float, Floats]]
"""Value and gradient at a point."""


def minimise(function: Function, start: Floats, tolerance: float = 1e-8, steps: int = 500) -> tuple[Floats, bool]:
    """The point where no component of the gradient exceeds the tolerance, and whether it was reached.

    Step lengths by backtracking until the value falls enough (Armijo); the inverse Hessian is updated where the
    curvature along the step is positive.
    """
    point = start.copy()
    value, gradient = function(point)
    inverse = np.eye(len(point))
    for _ in range(steps):
        if np.max(np.abs(gradient)) <= tolerance:
            return point, True
        direction = -inverse @ gradient
        fall = float(direction @ gradient)
        if fall >= 0:  # rounding has spoiled the inverse Hessian
            inverse, direction = np.eye(len(point)), -gradient
            fall = float(direction @ gradient)
        length = min(1.0, 2.0 / float(np.max(np.abs(direction))))
        while True:
            tried = point + length * direction
            reached, slope = function(tried)
            if np.isfinite(reached) and reached <= value + 1e-4 * length * fall:
                break
            length /= 2
            if length < 1e-14:
                return point, bool(np.max(np.abs(gradient)) <= 1e3 * tolerance)
        step, change = tried - point, slope - gradient
        point, value, gradient = tried, reached, slope
        curvature = float(step @ change)
        if curvature > 1e-12 * float(np.linalg.norm(step) * np.linalg.norm(change)):
            left = np.eye(len(point)) - np.outer(step, change) / curvature
            inverse = left @ inverse @ left.T + np.outer(step, step) / curvature
    return point, False
