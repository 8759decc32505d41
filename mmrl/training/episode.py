"""The arrays of an episode file: statistics of a batch over time, one trajectory with its book, the quotes."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmrl.settings.model import Config


def episode_arrays(config: Config, epoch: Any, trainer: Any, optimum: Any = None) -> dict[str, np.ndarray]:
    """Arrays of a trainer's newest `Epoch`; `optimum` is that of the market where it is known."""
    from mmrl.evaluate.quotes import quotes_of
    from mmrl.learn.profile import profile_parts
    from mmrl.rollout.recording import record_book
    from mmrl.rollout.streams import stream_seed
    from mmrl.rollout.threads import each

    batch = epoch.batch.numpy()

    def quotes() -> dict[str, np.ndarray]:
        return quotes_of(config, trainer.policy.weights(trainer.normaliser), batch, optimum)

    def book() -> dict[str, np.ndarray]:
        longest = int(batch.lengths.argmax())
        found = record_book(config, epoch.weights, stream_seed(config.run.seed, "market"), epoch.number, longest)
        return found.arrays() if found else {}

    # the tensor engine draws other numbers: a recording by the kernel would be none of the batch's trajectories
    recorded = [book] if trainer.engine.name in ("compiled", "cuda") else []
    parts = [*recorded, *profile_parts(batch), quotes]  # the longest one first
    found = each(lambda k: parts[k](), len(parts), trainer.threads)
    return {name: array for part in found for name, array in part.items()}
