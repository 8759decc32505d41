"""The cuda engine on an NVIDIA GPU: `make cuda` where there is one."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mmrl.evaluate.grade import Grader
from mmrl.learn.trainer import Trainer
from mmrl.rollout.compiled import rollout
from mmrl.rollout.devices import cuda_lacks
from mmrl.settings.build import build
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve
from tests.rollout import cuda_cases
from tests.toy import register

LACKS = cuda_lacks()
ROOT = Path(__file__).resolve().parents[2]
EVERY: dict[str, dict[str, Any]] = cuda_cases.SETTINGS | cuda_cases.SETTINGS_OF_RULES
pytestmark = [pytest.mark.cuda, pytest.mark.skipif(bool(LACKS), reason=LACKS), pytest.mark.filterwarnings("ignore")]


def _played(config: Config, maker: Any, count: int) -> Any:
    from mmrl.rollout.cuda import CudaEngine

    return CudaEngine(config).rollout(maker, cuda_cases.SEED, cuda_cases.EPOCH, count)


@pytest.mark.parametrize("name", EVERY)
def test_device_plays_what_the_compiled_engine_plays(name: str) -> None:
    """Trajectories are the same up to rounding; few may part where a draw falls between two roundings."""
    with register.registered():
        config, maker = next((config, maker) for case, config, maker in cuda_cases.cases(EVERY) if case == name)
        count = 1000
        found, expected = (
            _played(config, maker, count),
            rollout(config, maker, cuda_cases.SEED, cuda_cases.EPOCH, count=count, threads=1),
        )
        assert all(x.is_cuda for f in fields(found) if isinstance(x := getattr(found, f.name), torch.Tensor))
        found = found.validate().numpy()
    close = np.isclose(found.final_value, expected.final_value, rtol=1e-4, atol=1e-4)
    same = close & (found.final_inventory == expected.final_inventory) & (found.lengths == expected.lengths)
    assert same.mean() > 0.98
    for column in ("observation", "action", "reward", "mid", "bid", "ask"):
        a, b = getattr(found, column), getattr(expected, column)
        assert abs(a.mean() - b.mean()) < 0.02 * (b.std() + 1e-6), column


def test_the_host_waits_once_for_all_steps() -> None:
    def waits(steps: int) -> int:
        config = build({"market": {"name": "avellaneda-stoikov", "nt": steps}})
        maker = cuda_cases.maker_for("learned", config)
        _played(config, maker, 64)  # compiles
        torch.cuda.set_sync_debug_mode("warn")
        try:
            with warnings.catch_warnings(record=True) as seen:
                warnings.simplefilter("always")
                _played(config, maker, 64)
        finally:
            torch.cuda.set_sync_debug_mode("default")
        return len(seen)

    assert waits(10) == waits(200)


def test_a_batch_belongs_to_its_seed_and_not_to_its_size() -> None:
    config = build({"market": {"name": "avellaneda-stoikov", "nt": 50}})
    maker = cuda_cases.maker_for("learned", config)
    large, small = _played(config, maker, 300).numpy(), _played(config, maker, 100).numpy()
    assert np.array_equal(large.final_value[:100], small.final_value)


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="needs two GPUs")
def test_two_gpus_train_as_one_does(tmp_path: Path) -> None:
    """By torchrun and NCCL: the same batches but for rounding, and gradients that lead to the same policy."""
    values = []
    for processes in (1, 2):
        start = ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "--no-python"]
        words = ["--preset", "avellaneda-stoikov", "-nb", "500", "-ne", "5", "-pa", "0", "--device", "cuda"]
        train = [sys.executable, "-m", "cli", "train", *words, "--name", f"by{processes}", "--results", str(tmp_path)]
        subprocess.run([sys.executable, "-m", *start, *train], cwd=ROOT, check=True, timeout=600)
        rows = (tmp_path / f"by{processes}" / "metrics.jsonl").read_text().splitlines()
        values.append([json.loads(row)["value_mean"] for row in rows])
    np.testing.assert_allclose(values[0], values[1], rtol=0.02)


@pytest.mark.learning
@pytest.mark.parametrize("preset", ["avellaneda-stoikov", "order-flow-small"])
def test_a_preset_comes_as_close_to_the_optimum_as_on_the_cpu(preset: str) -> None:
    def optimality(engine: str) -> float:
        config, _ = resolve({"run.engine": engine, "training.ne": 60}, None, preset, {})
        trainer = Trainer(config)
        for _ in trainer.run(60):
            pass
        found = Grader(config).grade(trainer.policy, trainer.normaliser).optimality
        assert found is not None
        return found

    assert optimality("cuda") > optimality("compiled") - 0.01
