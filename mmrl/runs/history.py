"""metrics.jsonl: one line per epoch, appended with a single write; readers stop at the last newline."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from mmrl.runs.atomic import BrokenRun, durable_write, naming, open_plain, read_plain
from mmrl.runs.encoding import encoded

METRICS_LIMIT = 2**29  # bytes, some 500 000 epochs
WRITER_LIMIT = 2**30
LINE_LIMIT = 2**20


class _Size(NamedTuple):
    """Of metrics.jsonl up to some row."""

    bytes: int
    hash: Any
    """Running SHA-256."""


class History:
    """The writer of metrics.jsonl; an incomplete last line is removed at the start. The file stays open from the first
    row on until close()."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._size = _whole(path)
        self._synced = self._size.bytes == 0  # a process that was killed may have left rows that are not on disk
        with contextlib.suppress(FileNotFoundError):
            if path.lstat().st_size > self._size.bytes:
                os.truncate(path, self._size.bytes)

    def append(self, *records: dict[str, Any]) -> None:
        """Append records so that they survive a power cut; if that fails the file is cut to its old size and OSError is
        raised."""
        before = _Size(self._size.bytes, self._size.hash.copy())
        self.write(*records)
        try:
            self.sync()
        except OSError:
            self._size = before
            with contextlib.suppress(OSError):
                os.truncate(self.path, before.bytes)
            raise

    def write(self, *records: dict[str, Any]) -> None:
        """The first half of append(): readers see the records, and they outlive this process; they survive a power cut
        after sync()."""
        lines = b"".join(encoded(record) + b"\n" for record in records)
        with naming(self.path):
            descriptor = self._opened()
            written = os.write(descriptor, lines)
            if written != len(lines):
                os.ftruncate(descriptor, os.fstat(descriptor).st_size - written)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._size.hash.update(lines)
        self._size, self._synced = _Size(self._size.bytes + len(lines), self._size.hash), False

    def sync(self) -> None:
        """The second half of append(), for all rows written since the last one; nothing where that is done."""
        if self._synced:
            return
        with naming(self.path):
            os.fsync(self._opened())
            self._synced = True
            if self._replaced():
                self.close()

    def close(self) -> None:
        """Let go of the file; the next row opens it again. What counts is sync(): an error here is none of a row."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            with contextlib.suppress(OSError):
                os.close(descriptor)

    __del__ = close

    def _opened(self) -> int:
        """The descriptor of the file."""
        if self._descriptor is None:
            self._descriptor = open_plain(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        return self._descriptor

    def _replaced(self) -> bool:
        """Whether another file stands in its place, or none: further rows belong there."""
        try:
            return not os.path.samestat(os.fstat(self._opened()), os.stat(self.path, follow_symlinks=False))
        except FileNotFoundError:
            return True

    def checksum(self) -> dict[str, Any]:
        """Size and SHA-256 of the file so far."""
        return {"bytes": self._size.bytes, "sha256": self._size.hash.hexdigest()}

    def go_back(self, epoch: int, checksum: dict[str, Any] | None) -> str | None:
        """Remove the rows after `epoch`, from which a run resumes; `checksum` is the one stored with its checkpoint.

        Returns what is wrong with the rows that stay, None if they match the checksum.
        """
        if not checksum:  # an early version wrote none
            self.truncate_after(epoch)
            return None
        if matches(self.path, checksum):
            if self._size.bytes > checksum["bytes"]:
                os.truncate(self.path, checksum["bytes"])
                self._size = _whole(self.path)
            return None
        self.truncate_after(epoch)
        return f"{self.path.name} does not match its SHA-256 up to epoch {epoch}: rows may be wrong or missing"

    def truncate_after(self, epoch: int) -> None:
        """Remove the records of epochs after `epoch`, which a resumed run computes again."""
        records = read_metrics(self.path)
        kept = [r for r in records if isinstance(r.get("epoch"), int) and r["epoch"] <= epoch]
        if len(kept) < len(records):
            self.close()
            durable_write(self.path, b"".join(encoded(r) + b"\n" for r in kept))
        self._size = _whole(self.path)


def _pieces(path: Path) -> Iterator[bytes]:
    """A file in pieces of bounded size; none if it is missing."""
    try:
        descriptor = open_plain(path)
    except FileNotFoundError:
        return
    with naming(path), os.fdopen(descriptor, "rb") as file:
        if os.fstat(descriptor).st_size >= WRITER_LIMIT:
            raise BrokenRun(f"{path} is larger than {WRITER_LIMIT // 2**20} MB, the limit for this file")
        while piece := file.read(2**20):
            yield piece


def _whole(path: Path) -> _Size:
    """Size of a file up to its last newline."""
    length, whole, read, running = 0, hashlib.sha256(), 0, hashlib.sha256()
    for piece in _pieces(path):
        end = piece.rfind(b"\n") + 1
        running.update(piece[:end])
        if end:
            length, whole = read + end, running.copy()
        running.update(piece[end:])
        read += len(piece)
    return _Size(length, whole)


def matches(path: Path, checksum: dict[str, Any]) -> bool:
    """Whether the beginning of metrics.jsonl matches the size and SHA-256 stored with a checkpoint."""
    left, digest = checksum.get("bytes"), hashlib.sha256()
    if not isinstance(left, int) or left < 0:
        return False
    for piece in _pieces(path):
        digest.update(piece[:left])
        left = max(left - len(piece), 0)
    return left == 0 and digest.hexdigest() == checksum.get("sha256")


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All complete records; unreadable lines and an incomplete last line are left out, a missing file is empty.

    Raises BrokenRun on a file that is not regular or too large.
    """
    try:
        data = read_plain(path, METRICS_LIMIT)
    except FileNotFoundError:
        return []
    return [record for line in whole_lines(data) if (record := row(line)) is not None]


def unreadable(path: Path) -> int:
    """How many complete lines are no records; 0 where there is no file, or none that may be read."""
    try:
        data = read_plain(path, METRICS_LIMIT)
    except (OSError, BrokenRun):
        return 0
    return sum(row(line) is None for line in whole_lines(data))


def left_out(folder: Path) -> str:
    """What is to be told of the rows of a run that cannot be read; empty where all can."""
    lost = unreadable(folder / "metrics.jsonl")
    rows = f"{lost} rows are" if lost > 1 else "1 row is"
    return f"{rows} left out, damaged in metrics.jsonl: mmrl runs doctor {folder.name}" if lost else ""


def whole_lines(data: bytes) -> list[bytes]:
    """The lines that end with a newline; what follows them may still be being written."""
    return data[: data.rfind(b"\n") + 1].splitlines()


def row(line: bytes) -> dict[str, Any] | None:
    """The record of a line, None where it is none."""
    try:
        record = json.loads(line) if len(line) <= LINE_LIMIT else None
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None
