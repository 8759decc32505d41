"""What the processes of the tests of data parallel do, each in a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np


def main(number: int, of: int, port: int, target: str) -> None:
    """Train three epochs as one of several processes; rank 0 writes what it has seen."""
    os.environ |= {"RANK": str(number), "WORLD_SIZE": str(of), "LOCAL_WORLD_SIZE": str(of), "MASTER_PORT": str(port)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "TORCHELASTIC_RUN_ID": "test"}
    from torch import distributed as dist

    from mmrl.training import parallel

    if number:
        parallel.help_out()
        # gloo's threads abort a process now and then that ends with them
        assert not dist.is_initialized()
        return
    parallel.join()
    trainer = parallel.ParallelTrainer(config())
    seen = observed(trainer)
    parallel.leave()
    np.savez(target, **seen)  # type: ignore[arg-type]


def config():  # type: ignore[no-untyped-def]
    """Five trajectories, which neither two nor three processes share evenly, and rows that no minibatch does."""
    from mmrl.settings.model import Config
    from mmrl.settings.sources import replaced

    small = {"market.nt": 13, "training.nb": 5, "policy.layer_size": 8, "training.minibatches": 3, "training.ne": 9}
    return replaced(Config(), {**small, "training.update_freq": 2, "training.entropy": 0.01, "run.threads": 1})


def observed(trainer) -> dict[str, np.ndarray]:  # type: ignore[no-untyped-def]
    """The first batch, the first gradient, and what three epochs with a live edit lead to."""
    from mmrl.learn.mirror import with_mirror_image
    from mmrl.learn.returns import learning_batch
    from mmrl.learn.team import Team
    from mmrl.rollout.trajectories import PER_STEP, PER_TRAJECTORY

    batch = trainer.rollout(1)
    seen = {name: np.array(getattr(batch, name)) for name in (*PER_STEP, *PER_TRAJECTORY, "offsets")}
    learning = learning_batch(batch, trainer.config, trainer.value, "cpu")
    learning = with_mirror_image(learning, trainer.config, trainer.normaliser)
    for name, part in (("all", None), ("some", np.array([0, 3, 4, 40, len(learning.log_prob) - 1]))):
        numbers = trainer.gradient(trainer.policy, learning, part, trainer.config, 0.01, Team(1))
        seen |= {f"numbers_{name}": np.array(numbers), f"gradient_{name}": trainer.policy.gradient.copy()}
    for lr in (0.003, 0.01, 0.01):
        trainer.set_live(lr=lr)
        record = trainer.step().record
    seen["parameters"] = trainer.policy.numbers
    seen |= {"mean": trainer.normaliser.mean, "var": trainer.normaliser.var, "value": trainer.value.weight}
    seen["record"] = np.array([record[key] for key in ("reward_mean", "value_half", "kl", "policy_loss", "grad_norm")])
    return seen


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
