"""One name replaced in every module of the run store that uses it: a function that moves takes its mutants along."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any


def everywhere(name: str, replacement: Any) -> None:
    """Replace a name in all modules of mmrl.runs; raises LookupError when none has it."""
    package = importlib.import_module("mmrl.runs")
    modules = [importlib.import_module(f"mmrl.runs.{found.name}") for found in pkgutil.iter_modules(package.__path__)]
    users = [module for module in modules if hasattr(module, name)]
    if not users:
        raise LookupError(name)
    for module in users:
        setattr(module, name, replacement)
