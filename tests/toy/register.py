"""Registers the toy market: as an installer would for other processes, or by hand in this one."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mmrl.kernels import jit
from mmrl.markets import contract
from mmrl.settings import fields, registry

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHES = (
    *(registry.part, registry.declared, registry.markets, registry.left_out),
    *(fields.fields, fields._names, contract.market_named, contract.usual_spec),
)


def install(site: Path, name: str, entry_points: dict[str, str]) -> None:
    """Write into `site` what an installer leaves of a distribution that registers markets."""
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = "".join(f"{market} = {package}\n" for market, package in entry_points.items())
    (folder / "entry_points.txt").write_text(f"[mmrl.markets]\n{lines}")


def install_toy(site: Path) -> None:
    """As `pip install -e tests/toy` would."""
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    install(site, project["name"], project["entry-points"]["mmrl.markets"])


def environment(*places: Path) -> dict[str, str]:
    """Variables of a process that finds mmrl, the toy's package and what is installed in `places`."""
    path = os.pathsep.join(map(str, [*places, HERE, ROOT]))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MMRL_")}
    return {**kept, "PYTHONPATH": path, "NO_COLOR": "1", "COLUMNS": "120"}


@contextmanager
def registered() -> Iterator[None]:
    """The toy market is there in this process; within another such block too."""
    if "toy" in registry.packages():
        yield
        return

    def forget() -> None:
        for cache in CACHES:
            cache.cache_clear()
        jit.keep_by_version()  # what is compiled depends on the sources of all markets

    sys.path.insert(0, str(HERE))
    registry.packages()["toy"] = "toy_market"
    forget()
    try:
        yield
    finally:
        sys.path.remove(str(HERE))
        del registry.packages()["toy"]
        forget()
