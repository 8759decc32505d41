"""The hyperbolic tangent in arithmetic alone: the rational fit that Eigen uses, relative error below 1e-6."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numba.extending import intrinsic

from mmrl.kernels.instructions import INT, WIDEST, Writer, written
from mmrl.kernels.jit import inlined_fast

_F = np.float32
_LIMIT = _F(7.90531110763549805)
"""Beyond it tanh is what it is there: within 3e-7 of 1."""
_A1, _A3, _A5 = _F(4.89352455891786e-03), _F(6.37261928875436e-04), _F(1.48572235717979e-05)
_A7, _A9 = _F(5.12229709037114e-08), _F(-8.60467152213735e-11)
_A11, _A13 = _F(2.00018790482477e-13), _F(-2.76076847742355e-16)
_B0, _B2 = _F(4.89352518554385e-03), _F(2.26843463243900e-03)
_B4, _B6 = _F(1.18534705686654e-04), _F(1.19825839466702e-06)


@inlined_fast
def tanh(x: Any) -> Any:
    """tanh of a float32."""
    v = min(max(x, -_LIMIT), _LIMIT)
    s = v * v
    top = ((((((_A13 * s + _A11) * s + _A9) * s + _A7) * s + _A5) * s + _A3) * s + _A1) * v
    return top / (((_B6 * s + _B4) * s + _B2) * s + _B0)


@inlined_fast
def tanh_all(x: Any, n: int) -> None:
    """tanh of the first n entries, in place."""
    for j in range(n):
        x[j] = tanh(x[j])


def _in_order(x: Any, count: int) -> None:
    flat = x.reshape(-1)
    for j in range(count):
        flat[j] = tanh.py_func(flat[j])


@intrinsic
def _in_vectors(typing: Any, x: Any, count: Any) -> Any:
    return written(_tanh, x, count, lanes=WIDEST)


def _tanh(w: Writer, x: Any, count: Any) -> None:
    j = w.variable(INT(0))
    with w.count(j, w.lanes, count) as place:
        v = w.bounded(w.vector(x, place), _LIMIT)
        s = w.product(v, v)
        top, below = w.number(_A13), w.number(_B6)
        for a in (_A11, _A9, _A7, _A5, _A3, _A1):
            top = w.add(w.product(top, s), w.number(a))
        for b in (_B4, _B2, _B0):
            below = w.add(w.product(below, s), w.number(b))
        w.put(w.ratio(w.product(top, v), below), x, place)


_config: Any = numba.config
tanh_beside: Any = _in_order if _config.DISABLE_JIT or _config.ENABLE_CUDASIM else _in_vectors
"""tanh of the first numbers of an array without gaps, in place; so many, a multiple of WIDEST."""
