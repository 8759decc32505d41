"""The maker's account as every market keeps it, and how a step can end."""

from __future__ import annotations

from typing import NamedTuple

GOES_ON, ENDED, DISCARDED = range(3)
"""What `advance` returns: the episode goes on, has terminated, or has terminated and its last step does not count."""
FLOWS = ("bought", "sold", "paid", "received", "revaluation")
"""Numbers of an account that are of its last step; as columns they are not always recorded."""


class Overfull(MemoryError):
    """A market ran out of the room of its state, however much memory the machine has."""


class Account(NamedTuple):
    """Where the maker stands after a step, and what the step did; money in currency, time in the market's unit."""

    time: float
    """Since the start of the episode."""
    elapsed: float
    """Length of the step."""
    cash: float
    inventory: int
    mid: float
    value: float
    """cash + inventory * mid."""
    bid: float
    """Best bid after the maker's action, before the market's answer; the mid where nobody bids."""
    ask: float
    cash_change: float
    """received - paid, with one rounding."""
    bought: int
    """Shares of the step."""
    sold: int
    paid: float
    received: float
    revaluation: float
    """Sum of the inventory times each move of the mid within the step."""
