"""What to type after a command about a run: lines that work as printed, in the shell from which mmrl was called."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from mmrl.runs.status import UNFINISHED

CALLED = "MMRL_CALLED_AS"
"""Environment variable: how the user called mmrl, for processes that mmrl starts itself."""


def called() -> list[str]:
    """The beginning of the command line that runs this mmrl again: mmrl, .venv/bin/mmrl, python -m mmrl, ..."""
    given = os.environ.get(CALLED)
    if given:
        return shlex.split(given)
    program = sys.argv[0]
    if Path(program).name != "mmrl":
        return sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    if "UV_RUN_RECURSION_DEPTH" in os.environ:  # uv puts its environment on the path of this process only
        return ["uv", "run", "mmrl"]
    found = shutil.which("mmrl")
    on_path = found is not None and os.path.realpath(found) == os.path.realpath(program)
    return ["mmrl"] if on_path else [program]


def shown_path(path: Path) -> str:
    """A path as one would type it: relative where it lies below the current directory."""
    try:
        inner = path.resolve().relative_to(Path.cwd())
    except (OSError, ValueError):
        return str(path.resolve())
    return str(inner)


def command(words: Sequence[str], root: Path) -> str:
    """A command of mmrl about a run in `root`, which is named unless it is looked into anyway."""
    usual = "MMRL_RESULTS" not in os.environ and Path("results").resolve() == root.resolve()
    return shlex.join([*called(), *words, *([] if usual else ["--results", shown_path(root)])])


def steps(
    folder: Path, state: str, epoch: int, *, agent: str = "", target: int = 0, lr: float = 0.0
) -> list[tuple[str, str]]:
    """What can follow, each with its command; `agent` is what an evaluation puts beside the run.

    A diverged run is gone on with at half of its learning rate `lr`, a finished one for as many epochs as its `target`.
    """
    name = folder.name
    if state in UNFINISHED:
        found = [("watch", ["runs", "attach", name]), ("stop", ["runs", "stop", name])]
    elif state == "broken":
        return [("examine", command(["runs", "doctor", name], folder.parent))]
    else:
        more = ["--expand", str(max(target, 1))] if state == "finished" else []
        more = ["-lr", f"{lr / 2:g}"] if state == "diverged" and lr else more
        found = [("go on", ["train", "--load", name, *more])]
    if epoch:
        found.append(("look", ["plot", name]))
        found.append(("evaluate", ["evaluate", name, *(["--agent", agent] if agent else [])]))
    else:
        found.append(("look", ["runs", "show", name]))
    return [(what, command(words, folder.parent)) for what, words in found]


def lines(found: Sequence[tuple[str, str]]) -> list[str]:
    """The steps, a line each, the commands below each other."""
    wide = max((len(what) for what, _ in found), default=0)
    return [f"  {what:<{wide}}  {text}" for what, text in found]
