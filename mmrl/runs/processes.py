"""How this program starts itself: the same interpreter and the same mmrl, and nothing from the current directory."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

ROOT = str(Path(__file__).resolve().parents[2])
"""The folder that contains the package mmrl."""


def python(module: str = "mmrl") -> list[str]:
    """The command that runs a module of mmrl; without a name, the command line.

    -P leaves the current directory out of the import path: a numpy.py that lies there is not ours to run.
    """
    return [sys.executable, "-P", "-m", module]


def environment(**variables: str) -> dict[str, str]:
    """Variables for such a process, some of them set.

    A clone that is on this process's import path, but not installed, is found by its children too.
    """
    found = {**os.environ, **variables}
    installed = {os.path.realpath(sysconfig.get_path(kind)) for kind in ("purelib", "platlib")}
    if ROOT not in installed and ROOT in {os.path.realpath(place) for place in sys.path}:
        found["PYTHONPATH"] = os.pathsep.join(filter(None, (ROOT, found.get("PYTHONPATH", ""))))
    return found
