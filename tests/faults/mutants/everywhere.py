"""One name replaced in every module of the run store that uses it: a function that moves takes its mutants along."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

Write = Callable[[Path, bytes], None]


def everywhere(name: str, replacement: Any) -> None:
    """Replace a name in all modules of mmrl.runs; raises LookupError when none has it."""
    package = importlib.import_module("mmrl.runs")
    modules = [importlib.import_module(f"mmrl.runs.{found.name}") for found in pkgutil.iter_modules(package.__path__)]
    users = [module for module in modules if hasattr(module, name)]
    if not users:
        raise LookupError(name)
    for module in users:
        setattr(module, name, replacement)


def every_write(mistaken: Callable[[Write], Write]) -> None:
    """Replace how files become durable, one or several at once; the mistake is made from how it is done right."""
    from mmrl.runs import atomic

    real = atomic.Replacement

    def right(path: Path, data: bytes) -> None:
        with real(path.parent, {path.name: data}) as new:
            new.sync()
            new.publish()

    write = mistaken(right)

    class Mistaken(nullcontext[Any]):
        """In place of atomic.Replacement."""

        def __init__(self, folder: Path, files: Mapping[str, bytes]) -> None:
            super().__init__(self)
            self.folder, self.files = folder, files

        def sync(self) -> None: ...

        def publish(self) -> None:
            for name, data in self.files.items():
                write(self.folder / name, data)

    everywhere("durable_write", write)
    everywhere("Replacement", Mistaken)
