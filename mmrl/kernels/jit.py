"""How kernels are compiled, and where they are cached: one folder per version of the sources."""

import hashlib
import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numba
from numba import njit

from mmrl.settings.registry import packages

COMPILED = ("kernels", "markets", "rollout", "learn", "evaluate", "calibrate")
"""Folders of mmrl that hold compiled code."""


def _sources() -> Iterator[tuple[str, Path]]:
    """Every file that kernels are compiled from, with a name: mmrl's own and those of registered markets."""
    package = Path(__file__).resolve().parent.parent
    for folder in COMPILED:
        for path in sorted((package / folder).rglob("*.py")):
            yield str(path.relative_to(package)), path
    for name, market in packages().items():
        if not market.startswith(f"{__package__.partition('.')[0]}."):
            found = find_spec(market)
            for place in (found.submodule_search_locations or ()) if found else ():
                for path in sorted(Path(place).rglob("*.py")):
                    yield f"{name}/{path.relative_to(place)}", path


def _source_digest() -> str:
    """Digest of all sources that kernels are compiled from (numba itself checks only the kernel's own file)."""
    digest = hashlib.sha256()
    for name, path in _sources():
        digest.update(name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _cache_root() -> Path:
    """The user's cache folder on this system."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    chosen = os.environ.get("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME")
    return Path(chosen) if chosen else Path.home() / ".cache"


def use_versioned_cache() -> None:
    """Point numba's cache at a folder of these sources, unless the user has chosen one (NUMBA_CACHE_DIR)."""
    if "NUMBA_CACHE_DIR" not in os.environ:
        numba.config.CACHE_DIR = str(_cache_root() / "mmrl" / "kernels" / _source_digest())  # type: ignore[attr-defined]


use_versioned_cache()  # before anything is decorated

kernel: Any = njit(cache=True, nogil=True, error_model="numpy")
"""Decorates what Python calls: compiled once and kept on disk, running beside other threads."""

_UNCOUNTED: dict[str, Any] = {"forceinline": True, "error_model": "numpy", "_nrt": False}

inlined: Any = njit(**_UNCOUNTED)
"""Decorates what kernels call, a market's dynamics among it: always inlined, no reference counts, so it must not
allocate arrays."""

inlined_fast: Any = njit(fastmath=True, **_UNCOUNTED)
"""The same for the arithmetic of networks, whose sums may be reordered."""

allocating: Any = njit(forceinline=True, error_model="numpy")
"""Decorates the one kind of helper that may allocate arrays: what a kernel calls before its loop."""

called: Any = njit(**{**_UNCOUNTED, "forceinline": False})
"""Decorates a large function that kernels call from several places: it is compiled once, which keeps kernels small. It
must not allocate arrays."""
