"""The arrays of an episode file: statistics of a batch over time, one trajectory with its book, the quotes."""

from __future__ import annotations

from typing import Any

import numpy as np

from mmrl.settings.model import Config


def episode_arrays(config: Config, epoch: Any, trainer: Any, optimum: Any = None) -> dict[str, np.ndarray]:
    """Arrays of a trainer's newest `Epoch`; `optimum` is that of the market where it is known."""
    from mmrl.evaluate.quotes import quotes_of
    from mmrl.learn.policy import policy_weights
    from mmrl.learn.record import episode_profile
    from mmrl.rollout.recording import replay_book
    from mmrl.rollout.streams import stream_seed

    arrays = episode_profile(epoch.batch, config.market.step_length)
    weights = policy_weights(trainer.policy, trainer.normaliser)
    arrays.update(quotes_of(config, weights, epoch.batch, optimum))
    # the tensor engine draws other random numbers: the kernel's replay would not be a trajectory of the batch
    if config.market.name == "book" and trainer.engine.name == "compiled":
        longest = int(np.diff(epoch.batch.offsets).argmax())
        replay = replay_book(config, epoch.weights, stream_seed(config.run.seed, "market"), epoch.number, longest)
        arrays.update(replay.arrays() if replay else {})
    return arrays
