"""The policy of a run, or of a file that `mmrl export --numpy` wrote."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from mmrl.policy.frozen import Frozen, of_state, read
from mmrl.policy.policy import Policy

if TYPE_CHECKING:
    from mmrl.runs.listing import RunInfo

SUFFIX = ".npz"


def load(
    run: str | os.PathLike[str] | RunInfo, results: str | os.PathLike[str] = "results", epoch: str | int = "best"
) -> Policy:
    """The policy of a run: its name in `results`, the path of its folder or a run of `mmrl.runs()`, or a file of
    `mmrl export --numpy`.

    `epoch` is "best" (by its grade), "last" or a number that the run keeps. It needs no torch. Raises
    `mmrl.runs.store.RunNotFound`, and ValueError where there is no such policy.
    """
    path = os.fspath(run) if isinstance(run, str | os.PathLike) else run.folder
    if path.endswith(SUFFIX):
        return Policy(read(path))
    from mmrl.runs.config_file import read_config
    from mmrl.runs.listing import find_run

    folder = Path(find_run(path, os.fspath(results)).folder)
    config = read_config(folder).config
    return Policy(frozen_of(folder, str(epoch)), config)


def frozen_of(folder: Path, epoch: str = "best") -> Frozen:
    """The policy of a run's folder, its settings included."""
    import safetensors.numpy

    from mmrl.runs.config_file import read_config
    from mmrl.runs.read_checkpoint import of_epoch

    number, state = of_epoch(folder, epoch, safetensors.numpy.load)
    return of_state(state, read_config(folder).config, folder.name, number)
