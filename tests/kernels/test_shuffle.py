"""The shuffle in compiled code is numpy's to the last bit."""

from __future__ import annotations

import numpy as np
import pytest

from mmrl.kernels.jit import kernel
from mmrl.kernels.shuffle import put_state, shuffle, state_of


@kernel
def shuffled(numbers, state):  # type: ignore[no-untyped-def]
    shuffle(numbers, state)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 31, 32, 33, 1000, 65_537])
@pytest.mark.parametrize("kind", [np.int16, np.int64])
def test_numbers_are_shuffled_as_numpy_does(count: int, kind: type) -> None:
    theirs, ours = np.random.default_rng(count), np.random.default_rng(count)
    for _ in range(3):  # an odd number of draws leaves half a word to the next
        expected: np.ndarray = np.arange(count).astype(kind)
        found, state = expected.copy(), state_of(ours)
        theirs.shuffle(expected)
        shuffled(found, state)
        put_state(ours, state)
        np.testing.assert_array_equal(found, expected)
        assert ours.bit_generator.state == theirs.bit_generator.state
        assert ours.random() == theirs.random()


def test_half_a_word_that_waits_is_used_first() -> None:
    theirs, ours = np.random.default_rng(1), np.random.default_rng(1)
    for rng in (theirs, ours):
        rng.integers(2**32, dtype=np.uint32)
    assert theirs.bit_generator.state["has_uint32"] == 1
    expected, found, state = np.arange(100), np.arange(100), state_of(ours)
    theirs.shuffle(expected)
    shuffled(found, state)
    np.testing.assert_array_equal(found, expected)


def test_another_generator_is_refused() -> None:
    with pytest.raises(TypeError, match="Philox, not PCG64"):
        state_of(np.random.Generator(np.random.Philox(0)))
