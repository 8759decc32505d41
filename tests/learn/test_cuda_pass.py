"""The gradient's kernel for CUDA without a device: in numba's simulator it sums what the CPU's pass sums."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from mmrl.learn import compiled_pass, gradient
from mmrl.learn.cuda_pass import SHARED, threads_for
from mmrl.learn.gradient import accumulate
from mmrl.learn.team import Pass
from tests.learn import cuda_pass_cases

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the simulator found."""
    folder = tmp_path_factory.mktemp("simulated")
    env = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, cuda_pass_cases.__file__, str(folder)], env=env, check=True, cwd=ROOT)
    return folder


@pytest.mark.parametrize("part", [False, True])
@pytest.mark.parametrize("case", cuda_pass_cases.CASES, ids=lambda case: case[0])
def test_sums_are_those_of_the_cpu(case: tuple[str, str, str, str], part: bool, simulated: Path) -> None:
    rows, order, flat, sizes, loss = cuda_pass_cases.case(*case[1:], part)
    order = np.arange(cuda_pass_cases.ROWS) if order is None else order
    weights = compiled_pass.Weights(flat, np.array(sizes, np.int64))
    wanted = Pass(rows, weights, loss).sums(order)
    with np.load(simulated / f"{case[0]}, {part}.npz") as found:
        for name, sums in wanted._asdict().items():
            if sums.size:
                got = found[name] if name != "log_std" or loss.log_std.size else found[name][:0]
                largest = np.abs(sums).max()
                np.testing.assert_allclose(got, sums, rtol=1e-5, atol=1e-5 * largest, err_msg=name)
                assert largest > 0.1, name


@pytest.mark.parametrize("name", cuda_pass_cases.PRESETS)
def test_the_learner_has_the_means_that_the_cpu_gives(name: str, simulated: Path) -> None:
    policy, batch, rows, config = cuda_pass_cases.preset(name)
    means = accumulate(policy, batch, rows, config, 0.05)
    wanted = {"means": np.array(means), "gradient": policy.gradient}
    with np.load(simulated / f"{name}.npz") as found:
        assert set(found) == set(wanted)
        for key, array in wanted.items():
            assert found[key].shape == array.shape
            np.testing.assert_allclose(found[key], array, rtol=1e-5, atol=1e-5 * np.abs(array).max(), err_msg=key)


def test_a_cpu_needs_no_preparation(monkeypatch: pytest.MonkeyPatch) -> None:
    policy, _, _, config = cuda_pass_cases.preset(cuda_pass_cases.PRESETS[0])
    monkeypatch.setattr(gradient, "accumulate", None)
    assert gradient.prepare(policy, config, "cpu") < 1.0


def test_wide_networks_have_fewer_threads_and_the_widest_none() -> None:
    def weights(*sizes: int) -> int:
        return sum((a + 1) * b for a, b in pairwise(sizes)) + sizes[0] * sizes[-1]

    found = [threads_for(sizes, weights(*sizes)) for sizes in ((3, 32, 32, 2), (20, 48, 48, 8), (20, 256, 256, 8))]
    assert found == [128, 64, 0]
    sizes = (20, 48, 48, 8)
    assert 4 * (weights(*sizes) + sum(sizes) * 65) <= SHARED < 4 * (weights(*sizes) + sum(sizes) * 129)
