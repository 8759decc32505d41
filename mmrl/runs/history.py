"""metrics.jsonl: one line an epoch, each appended with a single write; readers stop at the last newline."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import durable_write


def plain(value: Any) -> Any:
    """JSON without NaN: every non-finite number becomes null."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


class History:
    """The writer of metrics.jsonl; a torn last line is cut off when it is opened."""

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists():
            data = path.read_bytes()
            whole = data.rfind(b"\n") + 1
            if whole < len(data):
                os.truncate(path, whole)

    def append(self, record: dict[str, Any]) -> None:
        """Append one record; after a failed or short write the file is cut back and OSError is raised."""
        line = json.dumps(plain(record), allow_nan=False, separators=(",", ":")).encode() + b"\n"
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            size = os.fstat(descriptor).st_size
            try:
                if os.write(descriptor, line) != len(line):
                    raise OSError(28, "No space left on device", str(self.path))
            except OSError:
                os.ftruncate(descriptor, size)
                raise
        finally:
            os.close(descriptor)

    def sync(self) -> None:
        """Make what was appended survive a power cut."""
        if self.path.exists():
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def truncate_after(self, epoch: int) -> None:
        """Drop records of epochs beyond `epoch`: what a resumed run is about to do again."""
        records = read_metrics(self.path)
        kept = [r for r in records if isinstance(r.get("epoch"), int) and r["epoch"] <= epoch]
        if len(kept) < len(records):
            lines = (json.dumps(plain(r), allow_nan=False, separators=(",", ":")) for r in kept)
            durable_write(self.path, "".join(line + "\n" for line in lines).encode())


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """All whole records; unreadable lines and an unfinished tail are left out, a missing file is empty."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return []
    records = []
    for line in data[: data.rfind(b"\n") + 1].splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict):
            records.append(record)
    return records
