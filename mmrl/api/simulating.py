"""`mmrl.simulate()`: trajectories of a maker in a market, as numpy arrays."""

from __future__ import annotations

import os

from mmrl.api.makers import Maker, counted, entrant, named, own_config
from mmrl.commands.evaluate import playing_field
from mmrl.rollout.compiled import rollout
from mmrl.rollout.streams import stream_seed
from mmrl.rollout.trajectories import Trajectories
from mmrl.runs.memory import require_trajectory
from mmrl.settings.errors import ConfigError, note
from mmrl.settings.model import Config
from mmrl.training.compiling import compile_first


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
    root = os.fspath(results)
    counted(trajectories, seed)
    player_named = named(maker)
    own = config or own_config(player_named, root)
    if own is None:
        raise ConfigError(f"in which market shall {maker} trade? pass config=mmrl.Config.of(...)")
    field = playing_field([own], ["config"], None, [])
    require_trajectory(field)
    compile_first(field, note)
    player = entrant(player_named, field, root, stochastic)
    return rollout(player.config, player.quoter, stream_seed(seed, "evaluation"), 0, count=trajectories)
