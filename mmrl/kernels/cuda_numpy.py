"""Functions of numpy on numbers that numba-cuda lacks, and that markets and losses use."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numba import types

SIMULATED = bool(numba.config.ENABLE_CUDASIM)  # type: ignore[attr-defined]
"""Whether numba plays kernels in plain Python (NUMBA_ENABLE_CUDASIM), to test them without a device."""


def complete_numpy() -> None:
    """Teach numba-cuda functions of numpy on numbers that it lacks and that laws may use."""
    from numba.cuda import libdevice
    from numba.cuda.cudaimpl import registry

    ours = {
        np.exp: math.exp,
        np.expm1: math.expm1,
        np.log1p: math.log1p,
        np.sqrt: math.sqrt,
        np.floor: libdevice.floor,
        np.ceil: libdevice.ceil,
        np.rint: libdevice.rint,
    }
    if _completed:
        return
    _completed.append(True)

    def teach(ufunc: Any, function: Any) -> None:
        @registry.lower(ufunc, types.float64)
        def lowered(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return context.get_function(function, sig)(builder, args)

    for ufunc, function in ours.items():
        teach(ufunc, function)


_completed: list[bool] = []
