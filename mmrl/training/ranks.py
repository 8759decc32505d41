"""Which process of a training this is, where torchrun has started several."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import MutableMapping

PR_SET_PDEATHSIG = 1
"""Of prctl(2)."""
SETTLE = 25.0
"""Seconds in which signals count as one: torchrun passes on the signal that the terminal has sent to all, and kills
whatever still runs after 30 s."""


def ranks() -> int:
    """Processes of this training; 1 unless torchrun has started it."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def end_with_parent() -> None:
    """Have this process sent SIGTERM when the one that started it is gone, where the system can: on Linux."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def see_one_gpu(variables: MutableMapping[str, str]) -> None:
    """Let this process see one GPU of its machine, the one of its place there, as NCCL wants it; none where there are
    fewer. Before CUDA is asked for anything."""
    place = int(variables.get("LOCAL_RANK", "0"))
    named = variables.get("CUDA_VISIBLE_DEVICES")
    gpus = [str(place)] if named is None else named.split(",")[place : place + 1]
    variables["CUDA_VISIBLE_DEVICES"] = "".join(gpus)


def rank() -> int:
    """Number of this process among them."""
    return int(os.environ.get("RANK", "0")) if ranks() > 1 else 0
