"""Compiling kernels for CUDA devices without one, and what NVIDIA's assembler says of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

CAPABILITIES = [(7, 5), (8, 0), (9, 0)]


def without_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let numba type what a kernel calls for a device that is not there."""
    import numba.cuda.dispatcher

    def device() -> Any:
        return SimpleNamespace(compute_capability=CAPABILITIES[0])

    monkeypatch.setattr(numba.cuda.dispatcher, "get_current_device", device)


def _ptxas() -> str | None:
    """The assembler that came with numba-cuda, or the system's."""
    nvidia = find_spec("nvidia")
    for place in (nvidia.submodule_search_locations or ()) if nvidia else ():
        for found in Path(place).glob("*/bin/ptxas"):
            return str(found)
    return shutil.which("ptxas")


def assembled(ptx: str, name: str, folder: Path, most: int = 255) -> str:
    """What ptxas says of a kernel that may have `most` registers: how many it has, and bytes spilled by it and the
    functions it calls."""
    ptxas = _ptxas()
    if ptxas is None:
        return "no ptxas here"
    file = folder / "kernel.ptx"
    file.write_text(ptx)
    done = subprocess.run(
        [ptxas, f"-arch={name}", f"-maxrregcount={most}", "-v", "-o", os.devnull, str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    [registers] = re.findall(r"Used (\d+) registers", done.stderr)
    spilled = sum(map(int, re.findall(r"(\d+) bytes spill stores", done.stderr)))
    return f"{registers} registers, {spilled} bytes spilled"
