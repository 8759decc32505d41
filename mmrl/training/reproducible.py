"""`--reproducible`: the same bits on every x86-64 CPU with AVX2, by fixing what libraries choose by the CPU they find.

Numba compiles for one target, so that vectors have one width and sums one order; torch, MKL, oneDNN and OpenBLAS are
held to kernels that all these CPUs have. All of it is read when the libraries are loaded, hence from the environment.
"""

from __future__ import annotations

import os
import platform
import sys

from mmrl.settings.errors import ConfigError

NEEDED = ("avx", "avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe")
"""Features of x86-64-v3 beyond those of every x86-64 CPU of the last fifteen years."""
PINNED = {
    "NUMBA_CPU_NAME": "x86-64-v3",
    "NUMBA_CPU_FEATURES": ",".join(
        f"+{name}" for name in ("sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cx16", "xsave", *NEEDED)
    ),
    "ATEN_CPU_CAPABILITY": "avx2",
    "MKL_CBWR": "COMPATIBLE",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR X86_V4",
}


def pinned() -> bool:
    """Whether this process has had the fixed choices since it began."""
    return all(os.environ.get(name) == value for name, value in PINNED.items())


def pin() -> None:
    """Replace this process by the same command with the choices fixed, unless it has them.

    ConfigError on a CPU that cannot have them.
    """
    from llvmlite.binding import get_host_cpu_features

    if platform.machine().lower() not in ("x86_64", "amd64"):
        raise ConfigError(
            f"run.reproducible = true is for x86-64 CPUs, this one is {platform.machine()}: drop --reproducible"
        )
    missing = [name for name in NEEDED if not get_host_cpu_features().get(name)]
    if missing:
        raise ConfigError(
            f"run.reproducible = true needs a CPU with AVX2, this one lacks {', '.join(missing)}: drop --reproducible"
        )
    if not pinned():
        sys.stdout.flush()
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **PINNED})
