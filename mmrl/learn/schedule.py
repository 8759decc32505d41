"""The learning rate over a run: a straight line, that goes on from where it is when its end is moved."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Schedule:
    """The share of the learning rate in each epoch, counted from 0: a straight line to `lr_end` at the last of `ne`.

    The line begins with `share` at the epoch `since`. A run that is expanded or shortened, or gets another `lr_end`,
    does not begin it anew: its rate would leap up, and what the small steps at the end had settled would be lost.
    """

    ne: int
    lr_end: float
    since: int = 0
    share: float = 1.0

    def at(self, epoch: int) -> float:
        """Share in an epoch; after the last one that of the last one."""
        over = min(max(epoch - self.since, 0) / max(self.ne - 1 - self.since, 1), 1.0)
        return self.share + (self.lr_end - self.share) * over

    def towards(self, ne: int, lr_end: float, epoch: int) -> Schedule:
        """The schedule from `epoch` on for another number of epochs or another end, from the last share used."""
        if (ne, lr_end) == (self.ne, self.lr_end):
            return self
        since = max(epoch - 1, 0)
        share = self.at(since)
        return Schedule(ne, lr_end, 0 if share == lr_end else since, share)

    def state_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self)
