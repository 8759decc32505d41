"""How threads share work without waiting for each other: each takes the next numbers that none has taken."""

from __future__ import annotations

from typing import Any

import numba
from numba import types
from numba.extending import intrinsic


def _add_alone(counter: Any, count: int) -> int:
    before = int(counter[0])
    counter[0] += count
    return before


@intrinsic
def _add_at_once(typing: Any, counter: Any, count: Any) -> Any:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        address = context.make_array(signature.args[0])(context, builder, values[0]).data
        number = context.cast(builder, values[1], signature.args[1], types.int64)
        return builder.atomic_rmw("add", address, number, "seq_cst")

    return types.int64(counter, count), code


add_at_once: Any = _add_alone if numba.config.DISABLE_JIT else _add_at_once  # type: ignore[attr-defined]
"""Add to the first of an array of int64, whatever other threads do to it; returns what stood there before."""
