"""Learning on a CPU needs no torch: its import takes longer than a small training and more memory than most."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import sys
sys.modules["torch"] = None  # importing it fails
from pathlib import Path
from mmrl.evaluate.grade import Grader
from mmrl.learn.trainer import Trainer
from mmrl.runs import checkpoint
from mmrl.settings.sources import resolve

preset, kind, algorithm, folder = sys.argv[1:]
wanted = {"nb": 3, "nt": 20, "ne": 3, "policy.kind": kind, "algorithm": algorithm, "run.threads": 1}
config = resolve(wanted, None, preset, {})[0]
trainer = Trainer(config)
first = trainer.step()
checkpoint.save(Path(folder), 1, {"trainer": trainer.state_dict()}, best=True, versions={})
trainer.step()
other = Trainer(config)
other.load_state_dict(checkpoint.load(Path(folder))[1]["trainer"])
other.step()
assert (other.policy.numbers == trainer.policy.numbers).all()
Grader(config).grade(trainer.policy, trainer.normaliser)
print(first.batch.nnz)
"""


@pytest.mark.parametrize(
    ("preset", "kind", "algorithm"),
    [("quickstart", "gaussian", "ppo"), ("avellaneda-stoikov", "categorical", "reinforce")],
)
def test_a_training_on_a_cpu(preset: str, kind: str, algorithm: str, tmp_path: object) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, preset, kind, algorithm, str(tmp_path)], capture_output=True, text=True
    )
    assert done.returncode == 0 and int(done.stdout) > 20, done.stderr


def test_the_default_device_is_found_without_asking_torch_where_no_driver_is(tmp_path: object) -> None:
    code = """
import sys
from mmrl.rollout import devices
from mmrl.settings.model import Config
devices.may_have_accelerator = lambda: False
assert devices.available_devices() == ["cpu"] and devices.resolve(Config()) == ("compiled", "cpu")
assert "torch" not in sys.modules
devices.may_have_accelerator = lambda: True
assert devices.available_devices()[0] == "cpu"
assert "torch" in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
