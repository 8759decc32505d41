"""Find a run by its name, the path of its folder, or the beginning of its name."""

from __future__ import annotations

import os
from pathlib import Path

from mmrl.runs.names import good_folder, valid_name
from mmrl.runs.store import CONFIG, RunInfo, RunNotFound, describe, find_run


def by_prefix(name: str, results: str | Path) -> RunInfo:
    """The run that `name` means, in `results` or else in good-results beside it.

    A whole name or a path counts first, then the beginning of one name only. Raises RunNotFound.
    """
    try:
        return find_run(name, results)
    except RunNotFound:
        if os.sep in name or not valid_name(name):
            raise
        for root in (Path(results), good_folder(results)):
            found = _beginning_with(name, root)
            exact = [folder for folder in found if folder.name == name]
            if len(exact or found) == 1:
                return describe((exact or found)[0])
            if found:
                names = ", ".join(folder.name for folder in found[:4]) + (", ..." if len(found) > 4 else "")
                raise RunNotFound(f"{name} is the beginning of {len(found)} runs in {root}: {names}") from None
        raise


def _beginning_with(name: str, root: Path) -> list[Path]:
    try:
        names = sorted(other for other in os.listdir(root) if other.startswith(name) and valid_name(other))
    except OSError:
        return []
    folders = [root / other for other in names]
    return [folder for folder in folders if not folder.is_symlink() and (folder / CONFIG).is_file()]
