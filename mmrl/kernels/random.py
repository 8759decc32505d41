"""Random streams inside compiled code: xoshiro256++ (Blackman & Vigna) seeded by splitmix64.

A stream is a uint64 array of four words, derived from (seed, epoch, index), so that a trajectory's numbers
depend neither on the number of threads nor on its neighbours.
"""

import math

import numpy as np

from mmrl.kernels.elementary import exp, log
from mmrl.kernels.jit import inlined

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_S5, _S11, _S17, _S19, _S23 = np.uint64(5), np.uint64(11), np.uint64(17), np.uint64(19), np.uint64(23)
_S27, _S30, _S31, _S41, _S45 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(41), np.uint64(45)
LAYER_MASK = np.uint64(127)
INV53 = 1.0 / (1 << 53)
_TERMS = 8
"""Of the series of exp(rate) that are always summed for a Poisson number."""
_MOST_COUNTED = 500.0
"""Rate up to which Poisson numbers are counted at once: exp(-rate) underflows near 745."""
_CELLS = 256
"""Of equal width, by which `poisson_of` looks up where it begins."""
_INVERSES = 1.0 / np.maximum(np.arange(_TERMS), 1)

# Ziggurat tables (Doornik 2005, 128 layers): edge of the base layer and the area of each layer.
_R = 3.442619855899
_AREA = 9.91256303526217e-3


def _ziggurat_tables() -> tuple[np.ndarray, np.ndarray]:
    x = np.zeros(129)
    f = math.exp(-0.5 * _R * _R)
    x[0], x[1] = _AREA / f, _R
    for i in range(2, 128):
        x[i] = math.sqrt(-2.0 * math.log(_AREA / x[i - 1] + f))
        f = math.exp(-0.5 * x[i] * x[i])
    return x, x[1:] / x[:-1]


_X, _RATIO = _ziggurat_tables()
LAYERS = np.stack([_X[:-1], _RATIO], axis=1)
"""Of the ziggurat: where each layer ends, and what share of it lies in the next one too."""


@inlined
def _splitmix(z):
    z = z + _GOLDEN
    z = (z ^ (z >> _S30)) * _MIX1
    z = (z ^ (z >> _S27)) * _MIX2
    return z ^ (z >> _S31)


@inlined
def seed_stream(state, seed, epoch, index):
    """Fill uint64[4] `state` with the stream of (seed, epoch, index), three non-negative integers."""
    z = _splitmix(np.uint64(seed))
    z = _splitmix(z ^ np.uint64(epoch))
    z = _splitmix(z ^ np.uint64(index))
    for i in range(4):
        z = _splitmix(z)
        state[i] = z


@inlined
def stepped(s0, s1, s2, s3):
    """The next 64 random bits of a stream, and its words after them."""
    r = s0 + s3
    word = ((r << _S23) | (r >> _S41)) + s0
    t = s1 << _S17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= t
    return word, s0, s1, s2, (s3 << _S45) | (s3 >> _S19)


@inlined
def next_word(state):
    """Next 64 random bits of a stream."""
    word, s0, s1, s2, s3 = stepped(state[0], state[1], state[2], state[3])
    state[0], state[1], state[2], state[3] = s0, s1, s2, s3
    return word


@inlined
def uniform(state):
    """Uniform number in [0, 1) with 53 random bits."""
    return np.float64(next_word(state) >> _S11) * INV53


@inlined
def normal_slow(state, layer, u):
    # Outside the layer's inner rectangle, about one draw in a hundred.
    while True:
        if layer == 0:
            while True:
                a = -log(1.0 - uniform(state)) / _R
                b = -log(1.0 - uniform(state))
                if b + b > a * a:
                    return _R + a if u > 0 else -_R - a
        x = u * _X[layer]
        f0 = exp(-0.5 * (_X[layer] * _X[layer] - x * x))
        f1 = exp(-0.5 * (_X[layer + 1] * _X[layer + 1] - x * x))
        if f1 + uniform(state) * (f0 - f1) < 1.0:
            return x
        layer, u = layer_of(next_word(state))
        if abs(u) < _RATIO[layer]:
            return u * _X[layer]


@inlined
def layer_of(word):
    """The layer of the ziggurat that random bits choose, and a number in (-1, 1) within it."""
    return np.int64(word & LAYER_MASK), 2.0 * (np.float64(word >> _S11) * INV53) - 1.0


@inlined
def normal(state):
    """Standard normal number (ziggurat)."""
    layer, u = layer_of(next_word(state))
    if abs(u) < _RATIO[layer]:
        return u * _X[layer]
    return normal_slow(state, layer, u)


@inlined
def normals(state, out):
    """Fill `out` with what as many calls of `normal` give. The state stays in registers: what is written to memory
    might be the state itself, as far as a compiler knows."""
    s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
    for i in range(out.shape[0]):
        word, s0, s1, s2, s3 = stepped(s0, s1, s2, s3)
        layer, u = layer_of(word)
        x = u * _X[layer]
        if not abs(u) < _RATIO[layer]:
            state[0], state[1], state[2], state[3] = s0, s1, s2, s3
            x = normal_slow(state, layer, u)
            s0, s1, s2, s3 = state[0], state[1], state[2], state[3]
        out[i] = x
    state[0], state[1], state[2], state[3] = s0, s1, s2, s3


@inlined
def _poisson_part(state, rate, cap):
    # Inversion: the number of partial sums of exp(rate) = 1 + rate + rate^2 / 2 + ... that u exp(rate) reaches.
    u = uniform(state)
    whole = exp(rate)
    left = u * whole
    term = total = 1.0
    k = np.int64(left >= total)
    for i in range(1, _TERMS):  # counted without branches: which of them is the last to be reached nobody foresees
        term *= rate * _INVERSES[i]
        total += term
        k += np.int64(left >= total)
    if min(k, cap - 1) >= _TERMS:  # the cap bounds the work: a huge rate on a small order costs nothing
        left -= total
        term *= rate / k
        while left >= term and k < cap and not (term < 1e-18 * whole and k > rate):
            left -= term
            k += 1
            term *= rate / k
    return min(k, cap)


@inlined
def poisson(state, rate, cap):
    """Draw min(Poisson(rate), cap); rates above 500 are split."""
    if not rate > 0.0 or cap <= 0:
        return 0
    if rate > 1e12:
        return cap
    if rate > 1e4:  # skewness below 0.01: the rounded normal law, where counting would take too long
        return min(max(np.int64(math.floor(rate + math.sqrt(rate) * normal(state) + 0.5)), 0), cap)
    total = 0
    while rate > _MOST_COUNTED and total < cap:
        total += _poisson_part(state, _MOST_COUNTED, cap - total)
        rate -= _MOST_COUNTED
    if total < cap:
        total += _poisson_part(state, rate, cap - total)
    return total


def poisson_sums(rate: float) -> np.ndarray:
    """What `poisson_of` needs to draw numbers of one rate, float64: for each cell of the uniform number the least that
    is drawn in it (the guide table of Chen and Asau 1974), the partial sums of exp(rate) = 1 + rate + rate^2 / 2 + ...
    and infinity, and exp(rate). Empty beyond a rate of 500."""
    if not 0.0 < rate <= _MOST_COUNTED:
        return np.zeros(0)
    most = int(rate + 12.0 * math.sqrt(rate) + 30.0)
    sums = np.cumsum(np.cumprod(np.append(1.0, rate / np.arange(1, most))))
    sums = sums[: np.argmax(sums) + 1]  # the others add nothing
    whole = math.exp(rate)
    least = np.searchsorted(sums, np.arange(_CELLS) / _CELLS * whole, "right")
    return np.concatenate([least, sums, [math.inf, whole]])


@inlined
def poisson_of(state, sums):
    """A Poisson number of the rate of `poisson_sums`, as `poisson` draws it, in nearly always two comparisons whatever
    the number is."""
    u = uniform(state)
    left = u * sums[sums.shape[0] - 1]
    count = np.int64(sums[np.int64(u * _CELLS)])
    count += np.int64(sums[_CELLS + count] <= left)
    while sums[_CELLS + count] <= left:
        count += 1
    return count
