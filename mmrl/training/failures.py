"""Why a training could not go on, in a line for the user."""

from __future__ import annotations

import errno
from pathlib import Path

from mmrl.kernels.account import Overfull
from mmrl.runs.listing import CONFIG
from mmrl.runs.lock import LOCK, still_held

REFUSED = ("can't allocate memory", "out of memory")
"""What torch says in a RuntimeError where memory is refused, of a CPU and of an accelerator."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the machine refused memory."""
    if isinstance(error, RuntimeError):  # torch's, which is no MemoryError
        return any(said in str(error) for said in REFUSED)
    return isinstance(error, MemoryError) and not isinstance(error, Overfull)


def require_whole(folder: Path) -> None:
    """Raise FileNotFoundError where a training run has lost what it could not be found, or not be guarded, without."""
    for name, there in ((CONFIG, (folder / CONFIG).exists()), (LOCK, still_held(folder))):
        if not there:
            raise FileNotFoundError(errno.ENOENT, "was removed", str(folder / name))


def reason(error: BaseException, folder: Path) -> str:
    """What happened and, where it helps, what to do; `folder` is the run's."""
    if is_out_of_memory(error):
        return "the machine refused memory: go on when there is more, or lower training.nb or market.nt"
    if isinstance(error, OSError) and error.errno in (errno.ENOENT, errno.ESTALE):
        if not folder.exists():
            return f"{folder} was moved or removed while it was trained: what was saved is where it was moved to"
        if isinstance(error.filename, str | Path) and Path(error.filename).is_relative_to(folder):
            part = Path(error.filename).relative_to(folder)
            return f"a part of {folder} ({part}) was moved or removed while it was trained"
    return str(error)
