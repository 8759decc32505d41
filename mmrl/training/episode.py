"""The arrays of an episode file: statistics of a batch over time, one trajectory with its book, the quotes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from mmrl.settings.model import Config


def episode_arrays(config: Config, epoch: Any, trainer: Any, optimum: Any = None) -> dict[str, np.ndarray]:
    """Arrays of a trainer's newest `Epoch`; `optimum` is that of the market where it is known."""
    from mmrl.evaluate.quotes import quotes_of
    from mmrl.learn.profile import Profile
    from mmrl.rollout.recording import record_book
    from mmrl.rollout.streams import stream_seed
    from mmrl.rollout.threads import each

    batch = epoch.batch.numpy()

    profile, found = Profile(batch), dict[str, np.ndarray]()

    def quotes() -> None:
        found.update(quotes_of(config, trainer.policy.weights(trainer.normaliser), batch, optimum))

    def book() -> None:
        longest = int(batch.lengths.argmax())
        seed = stream_seed(config.run.seed, "market")
        recorded = record_book(config, epoch.weights, seed, epoch.number, longest)
        found.update(recorded.arrays() if recorded else {})

    # the tensor engine draws other numbers: a recording by the kernel would be none of the batch's trajectories
    books = [book] if trainer.engine.name in ("compiled", "cuda") else []
    parts: list[Callable[[], None]] = [*books]  # the longest one first
    parts += [*(partial(profile.part, k) for k in range(profile.parts)), quotes]
    each(lambda k: parts[k](), len(parts), trainer.threads)
    return {**profile.arrays(), **found}
