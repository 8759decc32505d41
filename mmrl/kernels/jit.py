"""How kernels are compiled, and where they are cached: one folder per version of the sources."""

import hashlib
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba import njit

from mmrl.kernels import cache
from mmrl.kernels.cache import KernelCache, Untrusted, cannot_keep, make_private
from mmrl.kernels.inlining import (
    NO_WRAPPERS,
    InlinedCompiler,
    InlinedDispatcher,
    ScalarCompiler,
    VectorCompiler,
    WideCompiler,
)
from mmrl.settings.files import user_folder
from mmrl.settings.registry import packages

COMPILED = ("kernels", "markets", "rollout", "learn", "evaluate", "calibrate", "gym")
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
    """Digest of all sources that kernels are compiled from (numba itself checks only the kernel's own file), and of the
    variables of numba that change the code: else NUMBA_BOUNDSCHECK would check no kernel that is on the disk."""
    config: Any = numba.config
    digest = hashlib.sha256(repr((config.BOUNDSCHECK, int(config.OPT))).encode())
    for name, path in _sources():
        digest.update(name.encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _cache_root() -> Path:
    """The user's cache folder on this system."""
    usual = os.path.join("Library", "Caches") if sys.platform == "darwin" else ".cache"
    return user_folder("LOCALAPPDATA" if os.name == "nt" else "XDG_CACHE_HOME", usual)


def keep_by_version() -> None:
    """Keep kernels in a folder of these sources: below NUMBA_CACHE_DIR if the user has chosen one, else their cache.

    The folder is this user's alone, and so are those above it that are mmrl's.
    """
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    ours = (Path(chosen) if chosen else _cache_root()).absolute() / "mmrl"
    folder = ours / "kernels" / _source_digest()
    with suppress(OSError, Untrusted):  # each kernel that cannot be kept says so
        for place in (ours, folder.parent, folder):
            make_private(place)
    cache.kept_in = folder


BLAS = "scipy.linalg.cython_blas"


def load_without_blas() -> None:
    """Load what numba needs to read a kernel, but for SciPy's BLAS, which it looks for at once and we never call: that
    takes longer than all else, and does not return where memory is short. Kernels that do call it load it then."""
    if BLAS in sys.modules or find_spec("scipy") is None:
        return
    sys.modules[BLAS] = None  # type: ignore[assignment]  # as if it were missing
    try:
        from numba.np import arraymath
    finally:
        del sys.modules[BLAS]
    arraymath._HAVE_BLAS = True


load_without_blas()
keep_by_version()  # before anything is decorated
if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]
    warnings.filterwarnings("ignore", "overflow encountered in scalar", RuntimeWarning)  # random numbers wrap around


def _compiler(kept: bool = False, inlined: bool = False, **options: Any) -> Callable[[Any], Any]:
    """A decorator that compiles with these options: what is kept goes to disk, what is inlined only into kernels."""
    if inlined:
        options = {**options, **NO_WRAPPERS, "pipeline_class": InlinedCompiler}
    decorator = njit(**options)

    def decorate(function: Any) -> Any:
        compiled = decorator(function)
        if compiled is function:  # NUMBA_DISABLE_JIT: plain Python, with the name that callers know
            compiled.py_func = function
        elif inlined:
            compiled.__class__ = InlinedDispatcher
        elif kept:
            try:
                compiled._cache = KernelCache(function)
            except (OSError, Untrusted) as error:
                cannot_keep(error)
        return compiled

    return decorate


def record_type(fields: Sequence[Any]) -> np.dtype:
    """The type of a record whose numbers are attributes, compiled and, with NUMBA_DISABLE_JIT, in plain Python."""
    plain = numba.config.DISABLE_JIT  # type: ignore[attr-defined]
    return np.dtype((np.record, list(fields))) if plain else np.dtype(list(fields))


def in_memory(function: Any) -> bool:
    """Whether a kernel has been compiled or loaded. (Its `signatures` would be made anew, for 20 microseconds.)"""
    return bool(getattr(function, "overloads", None))


def must_compile(function: Any) -> bool:
    """Whether the next call of a kernel compiles: it is neither in memory nor, sound, on disk."""
    if in_memory(function) or function.py_func is function:
        return False
    kept = function._cache
    return not (isinstance(kept, KernelCache) and kept.holds(function.targetctx.codegen()))


def announced(what: str) -> str:
    """What to say before something is compiled."""
    return f"compiling {what} for this processor" + ("" if cache.faulty() else "; later starts find it on the disk")


kernel: Any = _compiler(kept=True, nogil=True, error_model="numpy", pipeline_class=WideCompiler)
"""Decorates what Python calls: compiled once and kept on disk, running beside other threads."""

scalar_kernel: Any = _compiler(kept=True, nogil=True, error_model="numpy", pipeline_class=ScalarCompiler)
"""The same where loops are short: to test whether vectors are worth it would take longer than the loop."""

vector_kernel: Any = _compiler(kept=True, nogil=True, error_model="numpy", pipeline_class=VectorCompiler)
"""The same where short loops without branches are worth vectors: numba looks for them in long loops alone."""

_UNCOUNTED: dict[str, Any] = {"inlined": True, "forceinline": True, "error_model": "numpy", "_nrt": False}

inlined: Any = _compiler(**_UNCOUNTED)
"""Decorates what kernels call, a market's dynamics among it: always inlined, no reference counts, so it must not
allocate arrays."""

inlined_fast: Any = _compiler(fastmath={"nnan", "ninf", "nsz", "contract", "afn", "reassoc"}, **_UNCOUNTED)
"""The same for the arithmetic of networks, whose sums may be reordered. A ratio is rounded once, not estimated: how
well a processor estimates depends on the width of its vectors, which LLVM chooses."""

inlined_fused: Any = _compiler(fastmath={"contract"}, **_UNCOUNTED)
"""The same where a product and a sum may be one instruction, rounded once, if the processor has it."""

allocating: Any = _compiler(inlined=True, forceinline=True, error_model="numpy")
"""Decorates the one kind of helper that may allocate arrays: what a kernel calls before its loop."""

called: Any = _compiler(**{**_UNCOUNTED, "forceinline": False})
"""Decorates a large function that kernels call from several places: it is compiled once, which keeps kernels small. It
must not allocate arrays."""
