"""episodes/000400.npz: a sampled batch over time, arrays only."""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from mmrl.runs.atomic import BrokenRun, durable_write, inner_folder, read_plain

CHECKSUM = "sha256"
"""Name of the array that holds the SHA-256 of the others."""
LEVEL = 1
"""Of compression: the default one takes four times as long for a file that is some percent smaller."""
SMALL = 4096
"""Bytes of an array below which it is stored as it is: statistics over time are many short arrays, to compress them
takes longer than all else that is written of an epoch, and leaves more than half of them."""
LIMIT = 2**28  # bytes of an episode, compressed or not


def write_episode(folder: Path, epoch: int, arrays: dict[str, np.ndarray]) -> None:
    """Write the arrays of an epoch durably."""
    place = inner_folder(folder, "episodes")
    # the checksum comes first: a truncated file loses its end
    checksum = {CHECKSUM: np.frombuffer(_digest(arrays), np.uint8)}
    durable_write(place / f"{epoch:06d}.npz", packed({**checksum, **arrays}))


def packed(arrays: dict[str, np.ndarray]) -> bytes:
    """An .npz file of arrays, as numpy.load reads it, in a fraction of the time that numpy.savez_compressed takes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
        for name, array in arrays.items():
            column = np.ascontiguousarray(array).reshape(np.shape(array))
            how = zipfile.ZIP_STORED if column.nbytes < SMALL else zipfile.ZIP_DEFLATED
            archive.writestr(f"{name}.npy", _header(column.dtype, column.shape) + column.tobytes(), how)
    return buffer.getvalue()


@lru_cache(maxsize=256)
def _header(kind: np.dtype, shape: tuple[int, ...]) -> bytes:
    """The beginning of an .npy file; the arrays of the next episode have the same ones."""
    if kind.hasobject:
        raise ValueError("an episode has arrays of numbers only")
    header = io.BytesIO()
    described = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, described)
    return header.getvalue()


def _digest(arrays: dict[str, np.ndarray]) -> bytes:
    """SHA-256 of names, types, shapes and numbers; the CRC of the archive does not cover its directory."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.asarray(arrays[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode() + array.tobytes())
    return digest.digest()


def episode_epochs(folder: Path) -> list[int]:
    """Epochs that have an episode file, ascending."""
    return sorted(int(path.stem) for path in (folder / "episodes").glob("[0-9]*.npz") if path.stem.isdigit())


def latest_episode(folder: Path) -> dict[str, np.ndarray] | None:
    """The newest episode, or None when there is none yet."""
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
    """The arrays of an .npz file, no larger than its directory says, and never objects."""
    arrays: dict[str, np.ndarray] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > LIMIT:
            raise ValueError("uncompressed it is larger than an episode can be")
        for member in members:
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError("its compression method is not that of an episode")
            content = io.BytesIO(archive.read(member))  # checks the CRC
            read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
            shape, columns_first, kind = read_header[np.lib.format.read_magic(content)](content)
            body = memoryview(content.getbuffer())[content.tell() :]
            if kind.hasobject:
                raise ValueError("it contains objects")
            flat = np.frombuffer(body, kind)
            arrays[member.filename.removesuffix(".npy")] = flat.reshape(shape, order="F" if columns_first else "C")
    checksum = arrays.pop(CHECKSUM, None)  # an early version wrote none
    if checksum is not None and checksum.tobytes() != _digest(arrays):
        raise ValueError("it does not match its SHA-256")
    return arrays
