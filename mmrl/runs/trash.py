"""The trash folder of a results folder: what is in it, and how a run comes back."""

from __future__ import annotations

from pathlib import Path

from mmrl.runs.atomic import sync_folder
from mmrl.runs.listing import CONFIG, SHOWN, RunNotFound
from mmrl.runs.lock import RunLock
from mmrl.runs.names import namesake, run_folder, valid_name
from mmrl.runs.store import TRASH
from mmrl.settings.errors import ConfigError


def trashed(results: str | Path) -> dict[str, Path]:
    """The runs in the trash folder by name, of each name the one that was moved there last."""
    found: dict[str, tuple[int, Path]] = {}
    place = Path(results) / TRASH
    for folder in place.iterdir() if place.is_dir() and not place.is_symlink() else ():
        name, _, moved = folder.name.rpartition(".")
        if valid_name(name) and moved.isascii() and moved.isdigit() and (folder / CONFIG).is_file():
            found[name] = max(found.get(name, (0, folder)), (int(moved), folder))
    return {name: folder for name, (_, folder) in sorted(found.items())}


def restore(name: str, results: str | Path) -> Path:
    """Move a run back from the trash folder, by its name or the beginning of it. Raises RunNotFound."""
    there = trashed(results)
    found = [name] if name in there else [each for each in there if each.startswith(name)]
    if len(found) != 1:
        names = ", ".join(list(found or there)[:SHOWN]) or "it is empty"
        what = f"{len(found)} runs begin with {name}" if found else f"no run {name}"
        raise RunNotFound(f"{what} in {Path(results) / TRASH}: {names}")
    [name], root = found, Path(results)
    folder = there[name]
    with RunLock(folder):
        target, other = run_folder(root, name), namesake(root, name)
        if other:
            raise ConfigError(f"name {name!r} is taken in {root} by {other}: rename that one first")
        folder.rename(target)
        sync_folder(folder.parent)
        sync_folder(root)
    return target
