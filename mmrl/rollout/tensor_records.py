"""What the steps of N trajectories leave behind: room for all T steps, taken once, packed into CSR at the end."""

from __future__ import annotations

import torch
from torch import Tensor

Record = dict[str, Tensor]


class Records:
    """Columns [T, N, ...] that every step writes one row of; `live` says which trajectories it happened to."""

    def __init__(self, steps: int, device: torch.device) -> None:
        self.steps, self.device, self.written = steps, device, 0
        self._columns: Record = {}

    def write(self, record: Record) -> None:
        """Copy the record of the next step, columns [N, ...] of the same names, shapes and types each time."""
        if not self._columns:
            for name, column in record.items():
                shape = (self.steps, *column.shape)
                self._columns[name] = torch.empty(shape, dtype=column.dtype, device=self.device)
        for name, column in record.items():
            self._columns[name][self.written].copy_(column)
        self.written += 1

    def pack(self) -> tuple[Record, Tensor]:
        """The live rows of all steps, trajectory after trajectory, and their offsets [N + 1]; empties the records.

        The one wait for the device: how many rows are alive decides the shape. On mps the rows go to the host.
        """
        where = torch.device("cpu") if self.device.type == "mps" else self.device
        live = self._columns.pop("live")[: self.written].T.to(where)
        trajectory, step = live.nonzero(as_tuple=True)
        rows: Record = {"step": step.int()}
        for name in list(self._columns):
            rows[name] = self._columns.pop(name)[: self.written].to(where)[step, trajectory]
        offsets = torch.cat([live.new_zeros(1, dtype=torch.int64), live.sum(1).cumsum(0)])
        return rows, offsets
