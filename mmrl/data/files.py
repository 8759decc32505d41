"""Files as streams of whole lines or of bytes, unpacked on the way, with the hash of what lies on the disk."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from mmrl.data.events import Source
from mmrl.data.notes import DataError, needed, refuse

BLOCK = 1 << 24
"""Bytes that are unpacked at a time."""
GZIP, XZ, ZSTD, ZIP, SEVEN = b"\x1f\x8b", b"\xfd7zXZ\x00", b"\x28\xb5\x2f\xfd", b"PK\x03\x04", b"7z\xbc\xaf\x27\x1c"


def source_of(path: Path, form: str) -> Source:
    """Name and SHA-256 of a file."""
    with path.open("rb") as file:
        return Source(path.name, hashlib.file_digest(file, "sha256").hexdigest(), form)


def magic(path: Path) -> bytes:
    """The first bytes of a file. DataError where there is none, or where it is empty or a 7z archive."""
    try:
        with path.open("rb") as file:
            start = file.read(8)
    except OSError as error:
        raise refuse(path, None, f"cannot be read: {error.strerror}") from None
    if not start:
        raise refuse(path, None, "the file is empty")
    if start.startswith(SEVEN):
        raise refuse(path, None, f"7z archives are not read: unpack it first with: 7z x {path.name}")
    return start


def members(path: Path) -> list[str]:
    """Names of the files within a zip archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [info.filename for info in archive.infolist() if not info.is_dir()]
    except zipfile.BadZipFile as error:
        raise refuse(path, None, f"damaged zip archive: {error}") from None


def opened(path: Path, member: str | None = None) -> IO[bytes]:
    """The unpacked bytes of a plain, .gz, .xz or .zst file, or of one file of a .zip (the only one unless named)."""
    start = magic(path)
    if start.startswith(ZIP):
        names = members(path)
        if member is None and len(names) != 1:
            raise refuse(path, None, f"holds {len(names)} files instead of one: unpack it and name the file to read")
        return zipfile.ZipFile(path).open(member or names[0])
    if start.startswith(GZIP):
        return cast(IO[bytes], gzip.open(path, "rb"))
    if start.startswith(XZ):
        return lzma.open(path, "rb")
    if start.startswith(ZSTD):
        file: Any = (
            needed("zstandard").ZstdDecompressor().stream_reader(path.open("rb"), read_across_frames=True, closefd=True)
        )
        return file
    return path.open("rb")


def _broken(path: Path, error: Exception) -> DataError:
    return refuse(path, None, f"damaged or cut archive ({error}): fetch the file again")


def everything(path: Path, member: str | None = None, at_most: int = -1) -> bytes:
    """The unpacked bytes, or the first of them."""
    with opened(path, member) as file:
        try:
            return file.read(at_most)
        except Exception as error:
            raise _broken(path, error) from None


def blocks(path: Path, member: str | None = None) -> Iterator[tuple[int, int, bytes]]:
    """Blocks of whole lines: number of the first, line ends, text. The last block may be one line without its end."""
    line, rest = 1, b""
    with opened(path, member) as file:
        while True:
            try:
                piece = file.read(BLOCK)
            except Exception as error:
                raise _broken(path, error) from None
            if not piece:
                break
            cut = piece.rfind(b"\n") + 1
            if cut == 0:
                rest += piece
                continue
            block, rest = rest + piece[:cut], piece[cut:]
            count = block.count(b"\n")
            yield line, count, block
            line += count
    if rest:
        yield line, 0, rest


def lines(path: Path, member: str | None = None) -> Iterator[tuple[int, str, bool]]:
    """Lines that are not blank, without their ends: number, text, and whether the line end was there."""
    for first, _, block in blocks(path, member):
        for offset, line in enumerate(io.BytesIO(block)):
            text = line.decode("utf-8", errors="replace").rstrip("\r\n")
            if text:
                yield first + offset, text, line.endswith(b"\n")
