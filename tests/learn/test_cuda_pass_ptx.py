"""The gradient's kernel compiles for CUDA devices, without one: `make cuda`. Prints registers, spills and seconds."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("numba_cuda", reason="numba-cuda is not installed: pip install 'market-making-rl[cuda]'")
if os.environ.get("NUMBA_ENABLE_CUDASIM"):
    pytest.skip("the simulator compiles nothing", allow_module_level=True)

from numba import cuda, typeof

from mmrl.learn.compiled_pass import Weights
from mmrl.learn.cuda_pass import REGISTERS, kernel_of
from tests.learn import cuda_pass_cases
from tests.ptx import CAPABILITIES, assembled, without_driver

pytestmark = [pytest.mark.nightly, pytest.mark.filterwarnings("ignore")]


@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
def test_kernel_compiles_to_ptx(
    kind: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without_driver(monkeypatch)
    rows, order, flat, sizes, loss = cuda_pass_cases.case("clip", "two layers", kind, True)
    axes: Any = rows.action.shape[1]
    outputs = np.zeros((1, flat.size), np.float32), np.zeros((1, 4 + axes))
    network = Weights(flat, np.array(sizes))
    given = (rows, order, len(order), network, loss, loss.log_std.astype(float), *outputs)
    kernel = kernel_of(axes, sizes[-1], kind == "gaussian")
    for major, minor in CAPABILITIES:
        began, name = time.process_time(), f"sm_{major}{minor}"
        ptx, _ = cuda.compile_ptx(kernel.py_func, tuple(map(typeof, given)), cc=(major, minor))  # type: ignore[attr-defined]
        seconds = time.process_time() - began
        assert f".target {name}" in ptx and "gradient_pass" in ptx[ptx.index(".entry") :][:200]
        with capsys.disabled():
            print(f"\n{kind} {name}: {assembled(ptx, name, tmp_path, REGISTERS)}, {seconds:.0f} s of CPU to PTX")
