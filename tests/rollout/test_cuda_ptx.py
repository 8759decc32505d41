"""Every market's kernel compiles for CUDA devices, without one: `make cuda`. Prints registers, spills and seconds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("numba_cuda", reason="numba-cuda is not installed: pip install 'market-making-rl[cuda]'")
if os.environ.get("NUMBA_ENABLE_CUDASIM"):
    pytest.skip("the simulator compiles nothing", allow_module_level=True)

from numba import cuda, typeof

from mmrl.kernels.play import Draw
from mmrl.markets.contract import spec_of
from mmrl.rollout.cuda import CudaEngine
from mmrl.rollout.cuda_kernel import REGISTERS
from mmrl.rollout.quoters import fixed
from mmrl.settings.build import build
from tests.toy import register

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.filterwarnings("ignore"),  # numba-cuda's own, of versions
]
CAPABILITIES = [(7, 5), (8, 0), (9, 0)]
MARKETS = ["avellaneda-stoikov", "book", "order-flow", "toy"]


def _ptxas() -> str | None:
    """The assembler that came with numba-cuda, or the system's."""
    nvidia = find_spec("nvidia")
    for place in (nvidia.submodule_search_locations or ()) if nvidia else ():
        for found in Path(place).glob("*/bin/ptxas"):
            return str(found)
    return shutil.which("ptxas")


def _assembled(ptx: str, name: str, folder: Path) -> str:
    """What ptxas says of a kernel: registers of the kernel, and bytes spilled by it and the functions it calls."""
    ptxas = _ptxas()
    if ptxas is None:
        return "no ptxas here"
    file = folder / "kernel.ptx"
    file.write_text(ptx)
    done = subprocess.run(
        [ptxas, f"-arch={name}", f"-maxrregcount={REGISTERS}", "-v", "-o", os.devnull, str(file)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    [registers] = re.findall(r"Used (\d+) registers", done.stderr)
    spilled = sum(map(int, re.findall(r"(\d+) bytes spill stores", done.stderr)))
    return f"{registers} registers, {spilled} bytes spilled"


@pytest.mark.parametrize("market", MARKETS)
def test_kernel_compiles_to_ptx(
    market: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import numba.cuda.dispatcher

    def device() -> Any:  # which numba asks, without a driver, while it types what a kernel calls
        return SimpleNamespace(compute_capability=CAPABILITIES[0])

    monkeypatch.setattr(numba.cuda.dispatcher, "get_current_device", device)
    with register.registered():
        config = build({"market": {"name": market, "nt": 5}})
        engine = CudaEngine(config, "cpu")
        still = fixed(*(0.0,) * len(spec_of(config).axes))
        arguments, _ = engine.arguments(still, Draw(0, 0, 0, 4, 5))
        signature = tuple(map(typeof, arguments))
        for major, minor in CAPABILITIES:
            began, name = time.process_time(), f"sm_{major}{minor}"
            ptx, _ = cuda.compile_ptx(  # type: ignore[attr-defined]
                engine.kernel().py_func, signature, cc=(major, minor)
            )
            seconds = time.process_time() - began
            assert f".target {name}" in ptx
            assert "trajectories" in ptx[ptx.index(".entry") :][:200]
            with capsys.disabled():
                print(f"\n{market} {name}: {_assembled(ptx, name, tmp_path)}, {seconds:.0f} s of CPU to PTX")
    if market == "order-flow":  # what is called stays called: inlined everywhere it takes minutes
        assert re.search(r"^\.weak \.func .*queues3add", ptx, re.MULTILINE)
