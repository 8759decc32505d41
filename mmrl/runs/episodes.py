"""episodes/000400.npz: what a sampled batch looked like over time, arrays only."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from mmrl.runs.atomic import durable_write


def write_episode(folder: Path, epoch: int, arrays: dict[str, np.ndarray]) -> None:
    """Write the arrays of an epoch durably."""
    place = folder / "episodes"
    place.mkdir(exist_ok=True)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    durable_write(place / f"{epoch:06d}.npz", buffer.getvalue())


def episode_epochs(folder: Path) -> list[int]:
    """Epochs that have an episode file, ascending."""
    return sorted(int(path.stem) for path in (folder / "episodes").glob("[0-9]*.npz") if path.stem.isdigit())


def latest_episode(folder: Path) -> dict[str, np.ndarray] | None:
    """The newest episode, or None when none is written yet."""
    return read_episode(folder) if episode_epochs(folder) else None


def read_episode(folder: Path, epoch: int | None = None) -> dict[str, np.ndarray]:
    """The arrays of an epoch (default: the newest). Raises FileNotFoundError when there is none."""
    epochs = episode_epochs(folder)
    if not epochs or (epoch is not None and epoch not in epochs):
        raise FileNotFoundError(f"{folder.name} has no episode{'' if epoch is None else f' of epoch {epoch}'} yet")
    path = folder / "episodes" / f"{epochs[-1] if epoch is None else epoch:06d}.npz"
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
