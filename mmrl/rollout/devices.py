"""Which devices and engines this machine offers, and which of them a run uses. Torch is imported on use only."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from mmrl.settings.model import Config
from mmrl.settings.registry import packages


def available_devices() -> list[str]:
    """Devices present, best last: cpu, then mps or cuda."""
    found = ["cpu"]
    if not may_have_accelerator():
        return found
    import torch

    if torch.backends.mps.is_available():
        found.append("mps")
    if torch.cuda.is_available():
        found.append("cuda")
    return found


@cache
def may_have_accelerator() -> bool:
    """Whether a driver is there that torch could use: to ask torch itself takes longer than many a training."""
    if sys.platform == "darwin":
        return True
    for driver in ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libcuda.so"):
        with suppress(OSError):
            ctypes.CDLL(driver)
            return True
    return os.path.exists("/dev/kfd")  # AMD's


@cache
def cpu() -> str:
    """Model of this machine's CPU, and what kernels are compiled for, e.g. AMD EPYC 7763 (znver3)."""
    from llvmlite.binding import get_host_cpu_name

    return f"{_cpu_model()} ({get_host_cpu_name()})"


def _cpu_model() -> str:
    if sys.platform == "darwin":
        asked = subprocess.run(
            ["sysctl", "-n", "machdep.cpu.brand_string"], capture_output=True, text=True, check=False
        )
        return asked.stdout.strip() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, "") or platform.processor() or platform.machine()


def resolve_device(wanted: str) -> str:
    """The device for auto|cpu|cuda|mps; a ValueError of one line names those present if it is not there."""
    if wanted == "cpu":
        return wanted
    present = available_devices()
    if wanted == "auto":
        return present[-1]
    if wanted not in present:
        raise ValueError(
            f"run.device = {wanted!r} is not available here: use --device auto or one of {', '.join(present)}"
        )
    return wanted


def tensor_lacks(config: Config) -> str:
    """What of a config's market the tensor engine has not, as a line for the user; empty if it has all."""
    from mmrl.markets.contract import spec_of

    market = config.market.name
    if find_spec(f"{packages()[market]}.tensor") is None:
        return f"market {market} is not in the tensor engine: use --engine compiled"
    return spec_of(config).tensor_lacks


def cuda_lacks() -> str:
    """What the cuda engine misses here, as a line for the user; empty where it can run."""
    if find_spec("numba_cuda") is None:
        return "the package numba-cuda is missing: pip install 'market-making-rl[cuda]', or use --engine auto"
    present = available_devices()
    if "cuda" not in present:
        return f"there is no CUDA device here: use --engine auto or one of --device {', '.join(present)}"
    return ""


def require_tensors(config: Config) -> None:
    """Raise ValueError of one line where the tensor engine cannot simulate the market of a config."""
    lacking = tensor_lacks(config)
    if lacking:
        raise ValueError(lacking)


def resolve(config: Config) -> tuple[str, str]:
    """(engine, device) of a config: by itself compiled on a CPU, cuda on CUDA where it can run, else tensor.

    A device that is left open is the CPU where the compiled engine or the same bits are asked for, or where it alone
    knows the market's rules.
    Raises ValueError of one line for what is not there.
    """
    engine, lacking = config.run.engine, tensor_lacks(config)
    device: str = config.run.device
    if engine == "cuda":
        missing = cuda_lacks()
        if missing:
            raise ValueError(f"run.engine = 'cuda' cannot run: {missing}")
        return engine, "cuda"
    if device == "auto" and (engine == "compiled" or config.run.reproducible):
        device = "cpu"
    by_tensors_only = engine == "auto" and device in ("auto", "cuda", "mps") and bool(cuda_lacks())
    if device == "auto" and lacking and by_tensors_only:
        device = "cpu"
    device = resolve_device(device)
    if engine == "auto":
        engine = "compiled" if device == "cpu" else "tensor" if device != "cuda" or by_tensors_only else "cuda"
    if engine == "compiled" and device != "cpu":
        raise ValueError(
            f"run.engine = 'compiled' runs on the CPU, not on {device}: use --engine tensor or --device cpu"
        )
    if engine == "tensor" and lacking:
        raise ValueError(lacking)
    return engine, device
