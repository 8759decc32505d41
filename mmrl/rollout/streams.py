"""Randomness: one seed, named child streams, each passed to whoever draws from it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

# The order is part of every seed's meaning: append, never reorder.
STREAMS = ("market", "policy", "minibatch", "evaluation", "value", "grade", "search", "tape", "fills")


@cache
def stream_seed(seed: int, stream: str) -> int:
    """The 63-bit seed of one named stream, independent of all other streams of the same run."""
    child = np.random.SeedSequence(seed, spawn_key=(STREAMS.index(stream),))
    return int(child.generate_state(1, np.uint64)[0] >> np.uint64(1))


def generator(seed: int, stream: str) -> np.random.Generator:
    """A fresh NumPy generator for one named stream."""
    return np.random.Generator(np.random.PCG64(stream_seed(seed, stream)))


def capture(rng: np.random.Generator) -> dict[str, Any]:
    """The full state of a generator as plain JSON values (big integers as strings)."""
    state = rng.bit_generator.state
    return {
        "bit_generator": state["bit_generator"],
        "state": str(state["state"]["state"]),
        "inc": str(state["state"]["inc"]),
        "has_uint32": int(state["has_uint32"]),
        "uinteger": int(state["uinteger"]),
    }


def restore(rng: np.random.Generator, state: dict[str, Any]) -> None:
    """Put a generator back into a captured state. Raises ValueError on a state of another generator."""
    if state.get("bit_generator") != rng.bit_generator.state["bit_generator"]:
        raise ValueError(f"random state of {state.get('bit_generator')!r} cannot be restored into PCG64")
    rng.bit_generator.state = {
        "bit_generator": state["bit_generator"],
        "state": {"state": int(state["state"]), "inc": int(state["inc"])},
        "has_uint32": int(state["has_uint32"]),
        "uinteger": int(state["uinteger"]),
    }
