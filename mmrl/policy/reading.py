"""The policy of a run, or of a file that `mmrl export --numpy` wrote."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrl.policy.frozen import Frozen, of_state, read
from mmrl.policy.policy import Policy
from mmrl.settings.errors import ConfigError, brief
from mmrl.settings.files import path_of
from mmrl.settings.keywords import from_python

if TYPE_CHECKING:
    from mmrl.runs.listing import RunInfo

SUFFIX = ".npz"
OTHER_SUFFIXES = {
    ".onnx": "; ONNX runs in onnxruntime",
    ".pt": "; TorchScript runs in torch.jit.load",
    ".pth": "; TorchScript runs in torch.jit.load",
    ".zip": "; models of stable-baselines3 are agents, 'sb3:FILE.zip'",
}
"""Of other files with policies, and what they are for."""


def load(
    run: str | os.PathLike[str] | RunInfo, results: str | os.PathLike[str] = "results", epoch: str | int = "best"
) -> Policy:
    """The policy of a run: its name in `results`, the path of its folder or a run of `mmrl.runs()`, or a file of
    `mmrl export --numpy`.

    `epoch` is "best" (by its grade), "last" or a number that the run keeps. It needs no torch. Raises
    `mmrl.runs.store.RunNotFound`, and ValueError where there is no such policy.
    """
    from mmrl.runs.config_file import read_config
    from mmrl.runs.listing import RunInfo, RunNotFound, find_run

    given: Any = run
    path = given.folder if isinstance(given, RunInfo) else given
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise ConfigError(f"{brief(given)} is no run: give load its name or folder, or a file of mmrl export --numpy")
    path = str(os.fspath(path))
    if is_exported(path):
        return Policy(read(path))
    if isinstance(epoch, bool) or not isinstance(epoch, int | str):
        raise ConfigError(f"epoch = {brief(epoch)} is not allowed: it must be 'best', 'last' or a whole number")
    with from_python(RunNotFound):
        folder = Path(find_run(path, path_of(results, "results")).folder)
        config = read_config(folder).config
        return Policy(frozen_of(folder, str(epoch)), config)


def is_exported(path: str) -> bool:
    """Whether it is a file that `load` reads; ConfigError for a file of another kind."""
    if path.endswith(SUFFIX):
        return True
    if os.path.isfile(path) and (os.sep in path or Path(path).suffix in OTHER_SUFFIXES):
        ways = OTHER_SUFFIXES.get(Path(path).suffix, "")
        raise ConfigError(
            f"{path} cannot be loaded: of files load reads those of mmrl export --numpy FILE{SUFFIX} only{ways}"
        )
    return False


def frozen_of(folder: Path, epoch: str = "best") -> Frozen:
    """The policy of a run's folder, its settings included."""
    from mmrl.runs.config_file import read_config
    from mmrl.runs.read_checkpoint import of_epoch

    number, state = of_epoch(folder, epoch)
    return of_state(state, read_config(folder).config, folder.name, number)
