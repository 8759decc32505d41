"""Another commit beside this one: its sources in a folder of their own, its packages where they differ, its kernels."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mmrl.bench.cases import Case
from mmrl.bench.turns import Worker
from mmrl.runs.processes import ROOT, python
from mmrl.settings.errors import ConfigError

NEEDED = "requirements/run.txt"
"""The packages of a commit."""


@contextmanager
def built(ref: str, seconds: float, note: Callable[[str], None]) -> Iterator[Callable[[Case], Worker]]:
    """Starts cases with the sources of a commit; its folder is removed at the end.

    Both are measured by the cases of this commit, whose mmrl/bench takes the place of the other's.
    Raises ConfigError for what git does not know.
    """
    commit = _git("rev-parse", "--verify", "--quiet", f"{ref}^{{commit}}")
    if not commit:
        raise ConfigError(f"--against {ref!r} is no commit of the git repository in {ROOT}")
    with tempfile.TemporaryDirectory(prefix="mmrl-bench-") as place:
        sources = Path(place) / "sources"
        try:
            if not _git("worktree", "add", "--detach", str(sources), commit):
                raise ConfigError(f"--against {ref!r} cannot be checked out: git worktree add {sources} {ref} fails")
            shutil.rmtree(sources / "mmrl" / "bench", ignore_errors=True)
            shutil.copytree(Path(__file__).parent, sources / "mmrl" / "bench")
            command = [_interpreter(Path(place), sources, note), *python("mmrl.bench.worker")[1:]]
            variables = {**os.environ, "PYTHONPATH": str(sources), "NUMBA_CACHE_DIR": str(Path(place) / "kernels")}
            yield lambda case: Worker(case, seconds, command, variables)
        finally:
            _git("worktree", "remove", "--force", str(sources))


def _interpreter(place: Path, sources: Path, note: Callable[[str], None]) -> str:
    """This interpreter where the commit needs the same packages, else one of its own."""
    theirs, ours = sources / NEEDED, Path(ROOT) / NEEDED
    if not theirs.exists() or not ours.exists() or theirs.read_bytes() == ours.read_bytes():
        return python()[0]
    note(f"installing the packages of {NEEDED} there ...")
    subprocess.run([python()[0], "-m", "venv", str(place / "environment")], check=True, capture_output=True)
    own = str(place / "environment" / "bin" / "python")
    subprocess.run([own, "-m", "pip", "install", "--quiet", "-r", str(theirs)], check=True, stdout=subprocess.DEVNULL)
    return own


def _git(*words: str) -> str:
    """What git answers; empty when it fails or is not there."""
    try:
        done = subprocess.run(["git", "-C", ROOT, *words], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return (done.stdout.strip() or "done") if done.returncode == 0 else ""
