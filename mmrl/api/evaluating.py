"""`mmrl.evaluate()`: makers side by side on the same random numbers."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, overload

from mmrl.api.makers import (
    Maker,
    Named,
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
from mmrl.commands.evaluate import report
from mmrl.evaluate import MOST_TRAJECTORIES
from mmrl.evaluate.compare import Entrant, compare
from mmrl.markets.contract import spec_of
from mmrl.plots.output import terminal_size
from mmrl.runs.listing import RunNotFound
from mmrl.runs.memory import require_trajectory
from mmrl.settings.errors import ConfigError, note
from mmrl.settings.keywords import from_python
from mmrl.settings.model import Config, require_config
from mmrl.training.compiling import compile_first


class Comparison(Sequence[dict[str, Any]]):
    """The rows of an evaluation, one a maker, as dicts; printed, it is the table of `mmrl evaluate`."""

    def __init__(self, found: dict[str, Any]) -> None:
        self.found = found

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, at: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, at: int | slice) -> Any:
        return self.found["rows"][at]

    def __len__(self) -> int:
        return len(self.found["rows"])

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.found["rows"])

    def __str__(self) -> str:
        return "\n".join(report(self.found, terminal_size()[0]))

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(row['agent'] for row in self)} on {self.found['market']}>"

    def as_dict(self) -> dict[str, Any]:
        """Everything, as `mmrl evaluate --json` prints it: market, parameters, optimum, rows."""
        return self.found

    def dataframe(self) -> Any:
        """The rows as a pandas DataFrame, indexed by the names of the makers; needs pandas."""
        try:
            import pandas
        except ImportError:
            raise ConfigError("a DataFrame needs pandas: pip install pandas, or use as_dict()") from None
        return pandas.DataFrame(list(self)).set_index("agent")


@from_python(RunNotFound)
def evaluate(
    *makers: Maker,
    config: Config | None = None,
    trajectories: int = 10_000,
    seed: int = 0,
    stochastic: bool | None = None,
    results: str | os.PathLike[str] = "results",
) -> Comparison:
    """Play agents, runs and policies in one market on the same random numbers.

    `makers` are names of agents or runs, folders of runs, runs of `mmrl.runs()`, policies, or files of
    `mmrl export --numpy`; none: the market's usual agents. Those of one name are numbered. The market and the objective
    are those of `config`, or else those of the runs, which must be alike; agents and files alone need a `config`.
    `stochastic` samples the actions of runs, False plays their means, None what is worth more. Money in currency,
    intervals of 95 %. Raises ConfigError, and RunNotFound for a run that is not there.
    """
    root = folder_of(results)
    counted(trajectories, seed, MOST_TRAJECTORIES)
    sampled(stochastic)
    if config is not None:
        require_config(config, "evaluate")
    asked = [named(maker) for maker in makers]
    owns = [("config", config)] if config is not None else []
    if config is None:
        found = [(maker, own_config(maker, root)) for maker in asked]
        owns = [(str(maker), own) for maker, own in found if own is not None]
    if not owns:
        raise no_market(asked[0] if asked else "the usual agents")
    field = field_of([own for _, own in owns], [name for name, _ in owns])
    require_trajectory(field)
    who: Sequence[Named] = asked or spec_of(field).usual_agents
    learned = [has_network(maker) for maker in who]
    compile_first(field, note, learned=any(learned), classical=not all(learned))
    entrants = [entrant(maker, field, root, stochastic) for maker in who]
    return Comparison(compare(_numbered(entrants), field, trajectories, seed))


def _numbered(entrants: Sequence[Entrant]) -> list[Entrant]:
    """Makers with names of their own: the second `policy` is `policy 2`."""
    seen: Counter[str] = Counter()
    found = []
    for one in entrants:
        seen[one.name] += 1
        found.append(one if seen[one.name] == 1 else replace(one, name=f"{one.name} {seen[one.name]}"))
    return found
