"""`mmrl.simulate()`: trajectories of a maker in a market, as numpy arrays."""

from __future__ import annotations

import os

from mmrl.api.makers import (
    Maker,
    counted,
    entrant,
    field_of,
    folder_of,
    has_network,
    named,
    no_market,
    own_config,
    sampled,
)
from mmrl.rollout.compiled import rollout
from mmrl.rollout.streams import stream_seed
from mmrl.rollout.trajectories import Trajectories
from mmrl.runs.listing import RunNotFound
from mmrl.runs.memory import require_trajectory
from mmrl.settings.errors import ConfigError, brief, note
from mmrl.settings.keywords import from_python
from mmrl.settings.model import Config, require_config
from mmrl.training.compiling import compile_first


@from_python(RunNotFound)
def simulate(
    maker: Maker,
    config: Config | None = None,
    *,
    trajectories: int = 100,
    seed: int = 0,
    stochastic: bool | None = False,
    results: str | os.PathLike[str] = "results",
) -> Trajectories:
    """Trajectories of one maker, ragged: trajectory n owns the rows offsets[n]:offsets[n + 1] of every column.

    Columns are numpy arrays, one row a step: time, mid, cash, inventory, value, bid, ask, reward, shares bought and
    sold, action, observation (as a policy sees it, normalised). `batch.to_dense("mid")` makes one [N, T] with a mask.
    The market is that of `config`, or the run's own. The numbers are those that `mmrl evaluate` plays with this seed.
    """
    root = folder_of(results)
    counted(trajectories, seed)
    sampled(stochastic)
    if config is not None:
        require_config(config, "simulate")
    player_named = named(maker)
    own = config if config is not None else own_config(player_named, root)
    if own is None:
        raise no_market(player_named)
    field = field_of([own], ["config"])
    require_trajectory(field)
    try:
        require_trajectory(field, trajectories)
    except ConfigError as error:
        reason = str(error).rpartition(": ")[0]
        raise ConfigError(f"trajectories = {brief(trajectories)}: {reason}: ask for fewer at a time") from None
    learned = has_network(player_named)
    compile_first(field, note, learned=learned, classical=not learned)
    player = entrant(player_named, field, root, stochastic)
    return rollout(player.config, player.quoter, stream_seed(seed, "evaluation"), 0, count=trajectories)
