"""What the steps of N trajectories leave behind: room for all T steps, taken once, packed into CSR at the end."""

from __future__ import annotations

import torch
from torch import Tensor

from mmrl.kernels.tensor_devices import is_mps

Record = dict[str, Tensor]


class Records:
    """Columns [T, N, ...] that every step writes one row of; `live` says which trajectories it happened to.

    Columns of one type and shape stand together, [T, columns, N, ...], so that a step writes them by one kernel.
    """

    def __init__(self, steps: int, device: torch.device) -> None:
        self.steps, self.device, self.written = steps, device, 0
        self._alike: list[tuple[list[str], Tensor]] = []

    def write(self, record: Record) -> None:
        """Copy the record of the next step, columns [N, ...] of the same names, shapes and types each time."""
        if not self._alike:
            self._alike = self._room(record)
        for names, room in self._alike:
            torch.stack([record[name] for name in names], out=room[self.written])
        self.written += 1

    def pack(self) -> tuple[Record, Tensor]:
        """The live rows of all steps, trajectory after trajectory, and their offsets [N + 1]; empties the records.

        The one wait for the device: how many rows are alive decides the shape. On mps the rows go to the host.
        """
        where = torch.device("cpu") if is_mps(self.device) else self.device
        columns = {name: room[: self.written, k] for names, room in self._alike for k, name in enumerate(names)}
        self._alike = []
        live = columns.pop("live").T.to(where)
        trajectory, step = live.nonzero(as_tuple=True)
        rows: Record = {name: columns.pop(name).to(where)[step, trajectory] for name in list(columns)}
        offsets = torch.cat([live.new_zeros(1, dtype=torch.int64), live.sum(1).cumsum(0)])
        return rows, offsets

    def _room(self, record: Record) -> list[tuple[list[str], Tensor]]:
        alike: dict[tuple[torch.dtype, torch.Size], list[str]] = {}
        for name, column in record.items():
            alike.setdefault((column.dtype, column.shape), []).append(name)
        return [
            (names, torch.empty((self.steps, len(names), *shape), dtype=dtype, device=self.device))
            for (dtype, shape), names in alike.items()
        ]
