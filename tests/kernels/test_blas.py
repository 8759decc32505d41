"""numba loads SciPy's BLAS for kernels that call it, not for all: ours call none."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

CODE = """
import sys
import numpy as np
from numba import njit
from mmrl.kernels.jit import kernel
from mmrl.learn.adam import _move
x = np.ones(3, np.float32)
_move(x, x.copy(), x.copy(), x.copy(), np.array([0.9, 0.999, 0.1, 1.0, 1e-5]))
assert 1.0 > x[0] > 0.8, x
print("scipy.linalg" in sys.modules)

@njit
def product(a, b):
    return np.dot(a, b), np.convolve(a, b)[1]

one, two = product(np.array([1.0, 2.0]), np.array([3.0, 5.0]))
print(one, two, "scipy.linalg" in sys.modules)
"""


def test_scipy_is_loaded_by_kernels_that_multiply_matrices_alone() -> None:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, env=environment)
    assert done.stdout.split() == ["False", "13.0", "11.0", "True"], done.stderr
