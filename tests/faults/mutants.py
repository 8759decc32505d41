"""Deliberate mistakes, switched on in a forked child: a check that does not catch its mutant proves nothing."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any


def _durable_write(replacement: Any) -> None:
    from mmrl.runs import atomic, commit, control, episodes, history, manifest, status, store

    for module in (atomic, commit, control, episodes, history, manifest, status, store):
        if hasattr(module, "durable_write"):
            module.durable_write = replacement  # type: ignore[attr-defined]


def naive_save() -> None:
    """Write files in place."""

    def write(path: Path, data: bytes) -> None:
        path.write_bytes(data)

    _durable_write(write)


def no_sync() -> None:
    """Rename without having synced."""
    import os

    def write(path: Path, data: bytes) -> None:
        temporary = path.with_name(f".{path.name}.tmp")
        temporary.write_bytes(data)
        os.replace(temporary, path)

    _durable_write(write)


def far_temporary() -> None:
    """Write to the temporary folder of the machine, then move."""
    import shutil
    import tempfile

    def write(path: Path, data: bytes) -> None:
        with tempfile.NamedTemporaryFile(delete=False) as file:
            file.write(data)
        shutil.move(file.name, path)

    _durable_write(write)


def careless() -> None:
    """Swallow every error of the disk and say that it is saved."""
    from mmrl.runs import atomic

    real = atomic.durable_write

    def write(path: Path, data: bytes) -> None:
        with contextlib.suppress(OSError):
            real(path, data)

    _durable_write(write)


def no_lock() -> None:
    """Let everyone in."""
    from mmrl.runs.lock import RunLock

    RunLock._taken = lambda self: True  # type: ignore[method-assign]


def no_random_state() -> None:
    """Resume without the minibatch stream."""
    from mmrl.learn import trainer

    trainer.restore = lambda rng, state: None  # type: ignore[attr-defined]


def no_finite_check() -> None:
    """Learn on, whatever the numbers are."""
    from mmrl.learn import update

    update._check_finite = lambda tensors: None  # type: ignore[attr-defined]
