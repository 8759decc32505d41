"""How kernels are compiled, and where they are cached: one folder per version of the sources."""

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

import numba
from numba import njit


def _source_digest() -> str:
    """Digest of all sources that kernels are compiled from (numba itself checks only the kernel's own file)."""
    digest = hashlib.sha256()
    package = Path(__file__).resolve().parent.parent
    for folder in ("kernels", "markets", "rollout", "learn", "evaluate"):
        for path in sorted((package / folder).rglob("*.py")):
            digest.update(str(path.relative_to(package)).encode())
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

law: Any = njit(**_UNCOUNTED)
"""Decorates a law of a market: always inlined, no reference counts, so it must not allocate arrays."""

fast_law: Any = njit(fastmath=True, **_UNCOUNTED)
"""The same for the arithmetic of networks, whose sums may be reordered."""
