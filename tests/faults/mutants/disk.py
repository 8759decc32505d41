"""Mistakes in writing: in place, without fsync, elsewhere, without a word, and what is left behind."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from tests.faults.mutants.everywhere import Write, every_write, everywhere


def naive_save() -> None:
    """Write files in place, those of a checkpoint after every epoch."""
    from mmrl.runs import recorder

    recorder.COMMIT_EVERY = 0.0

    def write(path: Path, data: bytes) -> None:
        path.write_bytes(data)

    every_write(lambda real: write)


def no_sync() -> None:
    """Rename without having synced."""
    import os

    def write(path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_bytes(data)
        os.replace(temporary, path)

    every_write(lambda real: write)


def far_temporary() -> None:
    """Write to the temporary folder of the machine, then move."""
    import shutil
    import tempfile

    def write(path: Path, data: bytes) -> None:
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(data)
        shutil.move(file.name, path)

    every_write(lambda real: write)


def careless() -> None:
    """Swallow every error of the disk and say that it is saved."""
    from mmrl.runs.history import History

    write, sync = History.write, History.sync

    def lossy_write(self: History, *records: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            write(self, *records)

    def lossy_sync(self: History) -> None:
        with contextlib.suppress(OSError):
            sync(self)

    History.write, History.sync = lossy_write, lossy_sync  # type: ignore[method-assign]

    def silent(real: Write) -> Write:
        def careless_write(path: Path, data: bytes) -> None:
            with contextlib.suppress(OSError):
                real(path, data)

        return careless_write

    every_write(silent)


def rewritten_metrics() -> None:
    """Write all of metrics.jsonl anew for each row."""
    from mmrl.runs import history
    from mmrl.runs.encoding import encoded

    def write(self: Any, record: dict[str, Any]) -> None:
        data = (self.path.read_bytes() if self.path.exists() else b"") + encoded(record) + b"\n"
        self.path.write_bytes(data)
        self._size, self._synced = history._whole(self.path), False

    history.History.write = write  # type: ignore[method-assign, assignment]


def leaking() -> None:
    """Keep something of every epoch: a megabyte, an open file, a temporary file."""
    from mmrl.runs import recorder

    kept: list[object] = []
    real = recorder.Recorder.keep

    def keep(self: Any, record: dict[str, Any], *rest: Any, **named: Any) -> None:
        real(self, record, *rest, **named)
        kept.append((bytearray(b"x" * 2**20), (self.folder / f".left-{record['epoch']}.tmp").open("w")))

    recorder.Recorder.keep = keep  # type: ignore[method-assign, assignment]


def half_promoted() -> None:
    """Copy checkpoints and lose the last byte of each."""
    from mmrl.runs import manifest

    real = manifest.files_of

    def cut(folder: Path, entry: dict[str, Any]) -> dict[str, bytes]:
        files = real(folder, entry)
        return files if "good-results" in folder.parts else {suffix: data[:-1] for suffix, data in files.items()}

    everywhere("files_of", cut)
