"""A machine whose clock jumps, and mistakes that only such machines, or folders that vanish, bring to light."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.faults.mutants.everywhere import Write, every_write


def jumping_clock() -> None:
    """No mistake: the time of day is set forward or back by up to two days each time it is asked for."""
    import random
    import time

    rng, real = random.Random(7), time.time
    time.time = lambda: real() + rng.uniform(-2.0, 2.0) * 86_400.0


def like_anybody() -> None:
    """No mistake: the superuser obeys the permissions of files, as others do."""
    import ctypes
    import os

    if os.geteuid():
        return

    class Header(ctypes.Structure):
        _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))

    class Data(ctypes.Structure):
        _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))

    none = (Data * 2)()
    if ctypes.CDLL(None, use_errno=True).capset(ctypes.byref(Header(0x20080522, 0)), none):
        raise OSError(ctypes.get_errno(), "capset")


def seeded_by_the_clock() -> None:
    """Draw the trajectories of an epoch by the time of day, which jumps."""
    import time

    from mmrl.learn.trainer import Trainer

    jumping_clock()
    rollout = Trainer.rollout

    def hasty(self: Any, epoch: int) -> Any:
        return rollout(self, int(time.time()))

    Trainer.rollout = hasty  # type: ignore[method-assign]


def makes_folders() -> None:
    """Make the folder of a file that is written, wherever it went."""
    from mmrl.runs.history import History

    append = History.append

    def making(real: Write) -> Write:
        def write(path: Path, data: bytes) -> None:
            path.parent.mkdir(parents=True, exist_ok=True)
            real(path, data)

        return write

    def appended(self: History, *records: dict[str, Any]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        append(self, *records)

    every_write(making)
    History.append = appended  # type: ignore[method-assign]
