"""episodes/000400.npz: what a sampled batch looked like over time, arrays only."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np

from mmrl.runs.atomic import BrokenRun, durable_write, inner_folder, read_plain

SEAL = "sha256"
LIMIT = 2**28  # bytes of an episode, packed or unpacked


def write_episode(folder: Path, epoch: int, arrays: dict[str, np.ndarray]) -> None:
    """Write the arrays of an epoch durably."""
    place = inner_folder(folder, "episodes")
    buffer = io.BytesIO()
    sealed = {SEAL: np.frombuffer(_digest(arrays), np.uint8), **arrays}  # first, as a cut takes from the end
    np.savez_compressed(buffer, **sealed)  # type: ignore[arg-type]
    durable_write(place / f"{epoch:06d}.npz", buffer.getvalue())


def _digest(arrays: dict[str, np.ndarray]) -> bytes:
    """SHA-256 of names, types, shapes and numbers; the archive's own checks pass over its directory."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode() + array.tobytes())
    return digest.digest()


def episode_epochs(folder: Path) -> list[int]:
    """Epochs that have an episode file, ascending."""
    return sorted(int(path.stem) for path in (folder / "episodes").glob("[0-9]*.npz") if path.stem.isdigit())


def latest_episode(folder: Path) -> dict[str, np.ndarray] | None:
    """The newest episode, or None when none is written yet."""
    return read_episode(folder) if episode_epochs(folder) else None


def read_episode(folder: Path, epoch: int | None = None) -> dict[str, np.ndarray]:
    """The arrays of an epoch (default: the newest). Raises FileNotFoundError or BrokenRun."""
    epochs = episode_epochs(folder)
    if not epochs or (epoch is not None and epoch not in epochs):
        raise FileNotFoundError(f"{folder.name} has no episode{'' if epoch is None else f' of epoch {epoch}'} yet")
    path = folder / "episodes" / f"{epochs[-1] if epoch is None else epoch:06d}.npz"
    data = read_plain(path, LIMIT)
    try:
        return unpacked(data)
    except (OSError, ValueError, LookupError, EOFError, RuntimeError, SyntaxError) as error:
        raise BrokenRun(f"{path} is damaged ({error})") from None
    except (zipfile.BadZipFile, zlib.error, struct.error, MemoryError, TypeError) as error:
        raise BrokenRun(f"{path} is damaged ({error})") from None


def unpacked(data: bytes) -> dict[str, np.ndarray]:
    """The arrays of an .npz file, no larger than what its directory says and never objects."""
    arrays: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > LIMIT:
            raise ValueError("it unpacks to more than an episode can have")
        for member in members:
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError("it is packed in a way that no episode is")
            content = io.BytesIO(archive.read(member))  # checks the CRC
            read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, columns_first, kind = read_header[np.lib.format.read_magic(content)](content)
            body = memoryview(content.getbuffer())[content.tell() :]
            if kind.hasobject:
                raise ValueError("it holds objects")
            flat = np.frombuffer(body, kind)
            arrays[member.filename.removesuffix(".npy")] = flat.reshape(shape, order="F" if columns_first else "C")
    seal = arrays.pop(SEAL, None)  # an early version wrote none
    if seal is not None and seal.tobytes() != _digest(arrays):
        raise ValueError("it does not match its SHA-256")
    return arrays
