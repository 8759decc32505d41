"""The cuda engine without a device: the same trajectories as the compiled one, in numba's simulator; its choice."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mmrl.rollout import devices
from mmrl.rollout.buffers import Buffers
from mmrl.rollout.compiled import rollout
from mmrl.rollout.devices import resolve
from mmrl.settings.build import build
from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import fields
from mmrl.training import loop
from tests.rollout import cuda_cases
from tests.toy import register

ROOT = Path(__file__).resolve().parents[2]


def _simulated(folder: Path, *which: str) -> Path:
    env = {**os.environ, "NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, cuda_cases.__file__, str(folder), *which], env=env, check=True, cwd=ROOT)
    return folder


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with what the simulator played."""
    folder = _simulated(tmp_path_factory.mktemp("simulated"))
    with register.registered():
        yield folder


@pytest.fixture(scope="module")
def simulated_rules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of all other rules."""
    return _simulated(tmp_path_factory.mktemp("rules"), "rules")


@pytest.mark.parametrize("name", cuda_cases.SETTINGS)
def test_simulator_plays_what_the_compiled_engine_plays(name: str, simulated: Path) -> None:
    _equal(name, cuda_cases.SETTINGS, simulated)


def test_some_trajectories_of_an_epoch_are_the_same_as_among_all(simulated: Path) -> None:
    with np.load(simulated / f"{cuda_cases.PART}.npz") as whole, np.load(simulated / "part.npz") as part:
        skipped = whole["offsets"][1]
        np.testing.assert_array_equal(part["offsets"], whole["offsets"][1:] - skipped)
        for column in ("action", "reward", "mid"):
            np.testing.assert_array_equal(part[column], whole[column][skipped:], err_msg=column)
        np.testing.assert_array_equal(part["final_value"], whole["final_value"][1:])


@pytest.mark.nightly
@pytest.mark.parametrize("name", cuda_cases.RULES)
def test_every_rule_is_the_same_to_the_last_bit(name: str, simulated_rules: Path) -> None:
    _equal(name, cuda_cases.SETTINGS_OF_RULES, simulated_rules)


@pytest.mark.parametrize("market", ["avellaneda-stoikov", "book", "order-flow"])
def test_every_choice_of_a_market_is_in_a_case(market: str) -> None:
    """All but how a policy starts, of which a kernel knows nothing."""
    with register.registered():
        cases = (*cuda_cases.SETTINGS.values(), *cuda_cases.SETTINGS_OF_RULES.values())
        played = [build(case).market for case in cases]
    for spec in fields(market):
        if spec.group != "market" or spec.name in ("name", "skew"):
            continue
        choices: tuple[Any, ...] = (True, False) if spec.kind == "bool" else spec.choices
        for choice in choices:
            assert any(m.name == market and getattr(m, spec.name) == choice for m in played), (spec.key, choice)


def _equal(name: str, chosen: dict[str, dict[str, Any]], simulated: Path) -> None:
    config, maker = next((config, maker) for case, config, maker in cuda_cases.cases(chosen) if case == name)
    here = Buffers(flows=False)
    expected = rollout(
        config, maker, cuda_cases.SEED, cuda_cases.EPOCH, count=cuda_cases.COUNT, threads=1, buffers=here
    )
    with np.load(simulated / f"{name}.npz") as found:
        assert set(found) == set(cuda_cases.columns(expected))
        assert expected.nnz > cuda_cases.COUNT
        for column, array in cuda_cases.columns(expected).items():
            assert found[column].dtype == array.dtype, column
            # sums of float32 in another order: some units in the last place, which quotes carry on
            off = 1e-6 if name in cuda_cases.NETWORK else 0.0
            np.testing.assert_allclose(found[column], array, rtol=off, atol=off, err_msg=column)


def test_cuda_plays_every_rule_where_it_can_and_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(engine: str, device: str = "auto", **rules: object) -> tuple[str, str]:
        return resolve(build({"market": rules, "run": {"engine": engine, "device": device}}))

    def there(cuda_package: bool, *present: str) -> None:
        answer = find_spec("numba") if cuda_package else None
        monkeypatch.setattr(devices, "find_spec", lambda name: answer if name == "numba_cuda" else find_spec(name))
        monkeypatch.setattr(devices, "available_devices", lambda: ["cpu", *present])

    there(True, "cuda")
    assert asked("auto") == asked("auto", "cuda") == asked("cuda") == asked("cuda", "cuda") == ("cuda", "cuda")
    assert asked("auto", priority="size") == ("cuda", "cuda")  # which the tensor engine lacks
    assert asked("auto", name="order-flow") == ("cuda", "cuda")
    assert asked("auto", "cpu") == asked("compiled") == ("compiled", "cpu")
    assert asked("tensor") == ("tensor", "cuda")
    there(False, "cuda")
    assert asked("auto") == ("tensor", "cuda")
    assert asked("auto", name="order-flow") == ("compiled", "cpu")
    with pytest.raises(ValueError, match=r"numba-cuda is missing: pip install 'market-making-rl\[cuda\]'"):
        asked("cuda")
    there(True)
    assert asked("auto") == ("compiled", "cpu")
    with pytest.raises(ValueError, match="no CUDA device here: use --engine auto or one of --device cpu"):
        asked("cuda")


@pytest.mark.parametrize(
    ("engine", "device", "said"),
    [
        ("cuda", "cuda", "simulating on cuda by the cuda engine"),
        ("tensor", "cuda", "simulating on cuda by the tensor engine (the package numba-cuda is missing"),
        ("tensor", "mps", "simulating on mps by the tensor engine"),
    ],
)
def test_a_training_says_which_engine_it_has(
    engine: str, device: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "find_spec", lambda name: None if name == "numba_cuda" else find_spec(name))
    trainer = SimpleNamespace(engine=SimpleNamespace(name=engine), device=device)
    assert loop._chosen(trainer).startswith(said)
    assert ("(" in loop._chosen(trainer)) == ("(" in said)


@pytest.mark.parametrize("device", ["cpu", "mps"])
def test_cuda_on_another_device_is_a_contradiction(device: str) -> None:
    with pytest.raises(ConfigError, match=f"runs on an NVIDIA GPU, run.device = '{device}' does not"):
        build({"run": {"engine": "cuda", "device": device}})
    with pytest.raises(ConfigError, match="reproducible"):
        build({"run": {"engine": "cuda", "reproducible": True, "threads": 1}})
