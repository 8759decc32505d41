"""`numpy.random.Generator.shuffle` of small numbers in compiled code: the same order to the last bit, in a third of its
time.

PCG64 is the 128-bit generator XSL-RR of O'Neill (HMC-CS-2014-0905), the shuffle that of Fisher and Yates with places
drawn from masked bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from mmrl.kernels.jit import inlined

_LOWER = np.uint64(0xFFFFFFFF)
_TIMES_HIGH, _TIMES_LOW = np.uint64(0x2360ED051FC65DA4), np.uint64(0x4385DF649FCCF645)
_NONE, _ONE, _S32, _S58, _S63, _S64 = (np.uint64(n) for n in (0, 1, 32, 58, 63, 64))
HIGH, LOW, STEP_HIGH, STEP_LOW, KEPT, WAITS = range(6)
"""Words of a state: the generator's, what it is stepped by, the half of a word that is left, and whether it waits."""


def state_of(rng: np.random.Generator) -> npt.NDArray[np.uint64]:
    """The state of a generator, uint64 [6]. Raises TypeError unless it is PCG64's."""
    if not isinstance(rng.bit_generator, np.random.PCG64):
        raise TypeError(f"the generator is {type(rng.bit_generator).__name__}, not PCG64")
    state = rng.bit_generator.state
    wide = (state["state"]["state"], state["state"]["inc"])
    words = [word for number in wide for word in divmod(number, 1 << 64)]
    return np.array([*words, state["uinteger"], state["has_uint32"]], np.uint64)


def put_state(rng: np.random.Generator, state: npt.NDArray[np.uint64]) -> None:
    """Let a generator go on from a state."""
    words = [int(word) for word in state]
    rng.bit_generator.state = {
        "bit_generator": "PCG64",
        "state": {"state": words[HIGH] << 64 | words[LOW], "inc": words[STEP_HIGH] << 64 | words[STEP_LOW]},
        "uinteger": words[KEPT],
        "has_uint32": words[WAITS],
    }


@inlined
def _upper_product(a, b):
    """The upper half of a product of 128 bits."""
    a0, a1, b0, b1 = a & _LOWER, a >> _S32, b & _LOWER, b >> _S32
    inner, outer = a0 * b1, a1 * b0
    carried = ((a0 * b0) >> _S32) + (inner & _LOWER) + (outer & _LOWER)
    return a1 * b1 + (inner >> _S32) + (outer >> _S32) + (carried >> _S32)


@inlined
def _next_state(high, low, step_high, step_low):
    product = low * _TIMES_LOW
    upper = _upper_product(low, _TIMES_LOW) + high * _TIMES_LOW + low * _TIMES_HIGH
    total = product + step_low
    return upper + step_high + (_ONE if total < product else _NONE), total


@inlined
def _word(high, low):
    mixed, turn = high ^ low, high >> _S58
    return (mixed >> turn) | (mixed << ((_S64 - turn) & _S63))


@inlined
def _swap(numbers, i, bits, mask):
    """Swap number i with the one at the place that the bits give, if it is not behind i; returns the next i."""
    drawn = np.int64(bits & mask)
    taken = drawn <= i
    j = drawn if taken else i  # no branch: whether it is taken cannot be foretold
    kept = numbers[i]
    numbers[i] = numbers[j]
    numbers[j] = kept
    return i - 1 if taken else i


@inlined
def shuffle(numbers: Any, state: Any) -> None:
    """Shuffle up to 2^32 numbers in place, and step the state."""
    high, low, kept, waits = state[HIGH], state[LOW], state[KEPT], state[WAITS]
    i, mask = np.int64(numbers.size - 1), _ONE
    while np.int64(mask) < i:
        mask = (mask << _ONE) | _ONE
    while i > 0:
        while i <= np.int64(mask >> _ONE):
            mask >>= _ONE
        if waits:
            waits = _NONE
            i = _swap(numbers, i, kept, mask)
            continue
        high, low = _next_state(high, low, state[STEP_HIGH], state[STEP_LOW])
        word = _word(high, low)
        kept, waits = word >> _S32, _ONE
        i = _swap(numbers, i, word & _LOWER, mask)
    state[HIGH], state[LOW], state[KEPT], state[WAITS] = high, low, kept, waits
