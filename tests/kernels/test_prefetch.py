"""Memory asked for in advance: nothing changes, whatever the shape of the arrays."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numba import njit

from mmrl.kernels.prefetch import prefetch_of, prefetch_to_read, prefetch_to_write

PAIR = np.dtype([("a", np.int32), ("b", np.float64)])
fetch = prefetch_of([0, 2, 3])
fetch_to_write = prefetch_to_write([0, 2])
fetch_to_read = prefetch_to_read([0, 2])


@njit
def fetched(parts, i):  # type: ignore[no-untyped-def]
    fetch(parts, i)


@njit
def fetched_to_write(parts, i):  # type: ignore[no-untyped-def]
    fetch_to_write(parts, i)


@njit
def fetched_to_read(parts, i):  # type: ignore[no-untyped-def]
    fetch_to_read(parts, i)


def asked(function: Any) -> list[str]:
    """What the compiled code asks of memory, by the last numbers of each call: write or read, how near, data."""
    [code] = function.inspect_llvm().values()
    return re.findall(r"call void @llvm\.prefetch\.p0(?:i8)?\(.*?, i32 (\d, i32 \d, i32 \d)\)", code)


def test_arrays_stay_as_they_are() -> None:
    rng = np.random.default_rng(0)
    parts = (np.zeros(5, PAIR), rng.normal(size=3), rng.integers(9, size=(5, 1_000)), np.zeros((5, 0)))
    parts[0]["b"] = rng.normal(size=5)
    before = [part.copy() for part in parts]
    for i in range(5):
        fetched(parts, i)
        fetched_to_write(parts, i)
        fetched_to_read(parts, i)
    assert set(asked(fetched)) == {"0, i32 3, i32 1"}
    assert asked(fetched_to_write)[:2] == ["1, i32 3, i32 1"] * 2
    assert asked(fetched_to_read)[:2] == ["0, i32 3, i32 1"] * 2
    assert all(np.array_equal(a, b) for a, b in zip(parts, before, strict=True))
