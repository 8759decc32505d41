"""What pyproject.toml cannot say: tui/ and cli.py, which stand at the top of the repository, are installed under mmrl.

No other top-level name is installed: a user may well have a `cli.py` or a package `tui` of their own.
"""

from __future__ import annotations

from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py


class BuildPy(build_py):
    """Installs cli.py as mmrl.cli."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """Modules of a package as (package, module, file)."""
        found: list[tuple[str, str, str]] = super().find_package_modules(package, package_dir)
        return [*found, ("mmrl", "cli", "cli.py")] if package == "mmrl" else found


PRESETS = [".".join(folder.parts) for folder in sorted(Path("mmrl/markets").glob("*/presets"))]
"""Folders of data that setuptools takes for packages."""

setup(
    cmdclass={"build_py": BuildPy},
    package_dir={"mmrl.tui": "tui"},
    packages=[
        *find_packages(include=["mmrl", "mmrl.*"]),
        *PRESETS,
        "mmrl.tui",
        *(f"mmrl.tui.{package}" for package in find_packages("tui")),
    ],
)
