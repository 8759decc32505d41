"""`mmrl.runs()` and `mmrl.markets()`."""

from __future__ import annotations

import os

from mmrl.api.makers import folder_of
from mmrl.markets.contract import Spec, usual_spec
from mmrl.runs.listing import RunInfo, find_runs
from mmrl.settings import registry


def runs(results: str | os.PathLike[str] = "results") -> list[RunInfo]:
    """The runs of a folder by name, with state, epoch, market, value and optimality; empty where there is no folder."""
    return find_runs(folder_of(results))


def markets() -> dict[str, Spec]:
    """All markets by name, those of other packages included, as they are with their default settings: what the maker
    observes (`columns`) and chooses (`axes`), units, length of an episode, agents that can play."""
    found = {name: usual_spec(name) for name in registry.markets()}
    return {name: spec for name, spec in found.items() if spec is not None}
