"""Every market's kernel compiles for CUDA devices, without one: `make cuda`. Prints registers, spills and seconds."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

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
from tests.ptx import CAPABILITIES, assembled, without_driver
from tests.toy import register

pytestmark = [
    pytest.mark.nightly,
    pytest.mark.filterwarnings("ignore"),  # numba-cuda's own, of versions
]
MARKETS = ["avellaneda-stoikov", "book", "order-flow", "toy"]


@pytest.mark.parametrize("market", MARKETS)
def test_kernel_compiles_to_ptx(
    market: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without_driver(monkeypatch)
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
                print(f"\n{market} {name}: {assembled(ptx, name, tmp_path, REGISTERS)}, {seconds:.0f} s of CPU to PTX")
    if market == "order-flow":  # what is called stays called: inlined everywhere it takes minutes
        assert re.search(r"^\.weak \.func .*queues3add", ptx, re.MULTILINE)
