"""Files that a user names for what a command writes: refused before anything is computed where they cannot be."""

from __future__ import annotations

from pathlib import Path

from mmrl.runs.atomic import SHARED
from mmrl.runs.goals import SPEC
from mmrl.runs.listing import CONFIG, METRICS
from mmrl.runs.lock import LOCK
from mmrl.runs.manifest import CURRENT, PREVIOUS
from mmrl.runs.store import MARKET
from mmrl.settings.errors import ConfigError

OF_A_RUN = (CONFIG, MARKET, METRICS, CURRENT, PREVIOUS, SHARED, LOCK, "status.json", "log.txt")
"""What a training and its watchers write into the folder of a run, beside its inner folders."""
OF_A_SWEEP = (SPEC, "journal.log")
INNER = ("checkpoints", "episodes", "tensorboard", "wandb")


def check_output(option: str, place: str | Path, force: bool = True, file: Path | None = None) -> None:
    """Raise ConfigError where `option` names no place for a file: empty, a folder, in no folder, of a run, or there.

    `file` is what is written, where `place` is only how it begins. Without `force` no file is overwritten.
    """
    if not str(place).strip():
        raise ConfigError(f"{option} '': a file must have a name")
    path = Path(place) if file is None else file
    if not path.parent.is_dir():
        raise ConfigError(f"{option} {place}: there is no folder {path.parent}")
    if path.is_dir():
        raise ConfigError(f"{option} {place} is a folder: name a file" if path == Path(place) else _taken(option, path))
    run = run_of(path)
    if run is not None:
        what = "sweep" if (run / SPEC).exists() else "run"
        raise ConfigError(f"{option} {place} would be a file of the {what} {run.name}: choose another name")
    if not force and path.exists():
        raise ConfigError(_taken(option, path))


def run_of(path: Path) -> Path | None:
    """The folder of the run, or sweep, of which a file with this path would be a part; None for any other file."""
    path = path.resolve()  # what a link leads to is what is written
    folder = path.parent
    if folder.name in INNER and _is_run(folder.parent):
        return folder.parent
    if (path.name in OF_A_RUN or path.name in INNER) and _is_run(folder):
        return folder
    return folder if path.name in OF_A_SWEEP and (folder / SPEC).exists() else None


def _is_run(folder: Path) -> bool:
    return (folder / CONFIG).exists() and any((folder / name).exists() for name in (METRICS, CURRENT, "status.json"))


def _taken(option: str, path: Path) -> str:
    return f"{option} {path} exists: choose another name, or overwrite it with --force"
