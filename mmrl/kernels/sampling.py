"""What the maker does at a step: the learned policy sampled or at its mean, a table, a linear rule."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from mmrl.kernels.elementary import exp, log
from mmrl.kernels.jit import inlined
from mmrl.kernels.random import normals, uniform

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class Kind(IntEnum):
    """What decides the quotes."""

    GAUSSIAN = 0
    CATEGORICAL = 1
    HEURISTIC = 2
    LINEAR = 3
    TABLE = 4
    OBSERVED = 5


class Maker(NamedTuple):
    """All that a maker is to a kernel; A action axes."""

    kind: int
    deterministic: int
    weights: np.ndarray
    """float32, packed layers of the policy network (`mmrl.kernels.network`)."""
    sizes: np.ndarray
    """int64, inputs and outputs of each layer, padded."""
    log_std: np.ndarray
    """float32 [A], gaussian."""
    choices: np.ndarray
    """int64 [A], categorical: choices of each axis."""
    scale: np.ndarray
    """float64 [A, K]: (centre, scale) of a gaussian axis, or the grid of a categorical one."""
    skew: np.ndarray
    """float64 [A], added per share of inventory."""
    fading: float
    """Share of T over which the skew fades towards the end; 0: it does not."""
    mean: np.ndarray
    """float32 [obs], of the observation's normalisation."""
    std: np.ndarray
    """float32 [obs]."""
    linear: np.ndarray
    """float64 [A, 3] in market units: the quote at no inventory and the end, added per share, and per T left."""
    table: np.ndarray
    """float64 [rows, 2 Q + 1, A] in market units, by time and inventory."""
    places: np.ndarray
    """int64 [obs, 3]: the lowest and highest whole number of a column of the observation that a table by observation
    tells apart, and what one more adds to the place in it."""
    chosen: np.ndarray
    """uint8 [rows, places], by time and observation: which row of the menu is chosen."""
    menu: np.ndarray
    """float64 [choices, A] in market units."""


@inlined
def normalised(raw, mean, std, clip):
    """A number of the observation as the policy sees it."""
    return min(max((raw - mean) / std, -clip), clip)


@inlined
def normalise(raw, mean, std, clip, hidden, out, row):
    """Write the raw observation as the policy sees it to the network's input and to out[row]."""
    for j in range(raw.shape[0]):
        hidden[0, j] = out[row, j] = normalised(raw[j], mean[j], std[j], clip)


@inlined
def sample_gaussian(m, std, outputs, rng, action, quote):
    """Draw an action around the means `outputs`; fills action (policy units) and quote; returns its log-probability."""
    log_prob = 0.0
    if m.deterministic:
        quote[:] = 0.0
    else:
        normals(rng, quote)
    for a in range(action.shape[0]):
        noise = quote[a]
        action[a] = np.float32(np.float64(outputs[a]) + std[a] * noise)
        quote[a] = m.scale[a, 0] + m.scale[a, 1] * np.float64(action[a])
        log_prob -= 0.5 * noise * noise + np.float64(m.log_std[a]) + HALF_LOG_2PI
    return log_prob


@inlined
def sample_categorical(m, logits, rng, action, quote):
    """Draw a choice on each axis; fills action (the choices' numbers) and quote; returns the log-probability."""
    log_prob = 0.0
    start = 0
    for a in range(action.shape[0]):
        end = start + m.choices[a]
        likeliest = start
        for j in range(start, end):
            if logits[j] > logits[likeliest]:
                likeliest = j
        top = np.float64(logits[likeliest])
        total = 0.0
        for j in range(start, end):
            total += exp(np.float64(logits[j]) - top)
        choice = likeliest
        if not m.deterministic:
            u = uniform(rng) * total
            choice = start
            while choice < end - 1:
                u -= exp(np.float64(logits[choice]) - top)
                if u < 0.0:
                    break
                choice += 1
        log_prob += np.float64(logits[choice]) - top - log(total)
        action[a] = choice - start
        quote[a] = m.scale[a, choice - start]
        start = end
    return log_prob


@inlined
def sample(m, std, outputs, inventory, fade, rng, action, quote):
    """Draw an action from the outputs of the policy network; returns its log-probability.

    `std` [A] are the standard deviations of a gaussian policy, `fade` is `fade_of` the time that is left.
    """
    if m.kind == Kind.GAUSSIAN:
        log_prob = sample_gaussian(m, std, outputs, rng, action, quote)
    else:
        log_prob = sample_categorical(m, outputs, rng, action, quote)
    add_skew(m, inventory, fade, quote)
    return log_prob


@inlined
def add_skew(m, inventory, fade, quote):
    """Add to the quote what the inventory adds to each of its numbers."""
    for a in range(quote.shape[0]):
        if m.skew[a] != 0.0:
            quote[a] += m.skew[a] * fade * inventory


@inlined
def outputs_of(m):
    """Outputs of the policy network that mean something: of the last layer, padded, the first so many."""
    if m.kind == Kind.GAUSSIAN:
        return m.log_std.shape[0]
    count = 0
    for a in range(m.choices.shape[0]):
        count += m.choices[a]
    return count


@inlined
def fade_of(m, left):
    """What is left of the skew where `left` is the share of the time that is left."""
    return 1.0 if m.fading == 0.0 else math.tanh(left / m.fading)


@inlined
def linear_quote(linear, t, steps, inventory, quote):
    """The quote of a linear rule."""
    left = 1.0 - t / steps
    for a in range(quote.shape[0]):
        quote[a] = linear[a, 0] + linear[a, 1] * inventory + linear[a, 2] * left


@inlined
def look_up_observed(m, t, steps, raw, quote):
    """The quote of a table by time and by the raw observation, of which it reads whole numbers."""
    at = np.int64(0)
    for j in range(raw.shape[0]):
        at += m.places[j, 2] * (np.int64(min(max(raw[j], m.places[j, 0]), m.places[j, 1])) - m.places[j, 0])
    choice = m.chosen[t * m.chosen.shape[0] // steps, at]
    for a in range(quote.shape[0]):
        quote[a] = m.menu[choice, a]


@inlined
def row_of(table, t, steps):
    """The row of a table for step t: its rows are spread evenly."""
    row, rows = np.uint64(t), table.shape[0]
    if rows != steps:
        row = row * np.uint64(rows) // np.uint64(steps)
    return row


@inlined
def column_of(table, inventory):
    """The column of a table for an inventory: beyond its edges the edge counts."""
    edge = (table.shape[1] - 1) // 2
    return min(max(inventory, -edge), edge) + edge


@inlined
def look_up(table, t, steps, inventory, quote):
    """The quote of a table by time and inventory."""
    row, column = row_of(table, t, steps), column_of(table, inventory)
    for a in range(quote.shape[0]):
        quote[a] = table[row, column, a]
