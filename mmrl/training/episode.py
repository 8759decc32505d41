"""The arrays of an episode file: statistics of a batch over time, one trajectory with its book, the quotes."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmrl.settings.model import Config


def episode_arrays(config: Config, epoch: Any, trainer: Any, optimum: Any = None) -> dict[str, np.ndarray]:
    """Arrays of a trainer's newest `Epoch`; `optimum` is that of the market where it is known."""
    from mmrl.evaluate.quotes import quotes_of
    from mmrl.learn.record import episode_profile
    from mmrl.rollout.recording import record_book
    from mmrl.rollout.streams import stream_seed

    batch = epoch.batch.numpy()
    arrays = episode_profile(batch)
    arrays.update(quotes_of(config, trainer.policy.weights(trainer.normaliser), batch, optimum))
    # the tensor engine draws other numbers: a recording by the kernel would be another trajectory than the batch has
    if trainer.engine.name in ("compiled", "cuda"):
        longest = int(batch.lengths.argmax())
        book = record_book(config, epoch.weights, stream_seed(config.run.seed, "market"), epoch.number, longest)
        arrays.update(book.arrays() if book else {})
    return arrays
