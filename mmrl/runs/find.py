"""Find a run where both those of the results folder and those of good-results are meant."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from mmrl.runs.listing import RunInfo, RunNotFound, find_run, run_folders
from mmrl.runs.names import good_folder


def anywhere(name: str, results: str | Path) -> RunInfo:
    """As find_run() in `results`, and in good-results beside it where no run of `results` begins so."""
    try:
        return find_run(name, results)
    except RunNotFound:
        if os.sep not in name and not any(folder.name.startswith(name) for folder in run_folders(results)):
            with contextlib.suppress(RunNotFound):
                return find_run(name, good_folder(results))
        raise
