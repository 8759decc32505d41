"""How close to the exact optimum training comes when one setting of a preset is changed and nothing is retuned.

    python benchmarks/robustness.py [--json] [--seeds N] [--only "NAME;NAME"] [--processes N]

One row a change, with the worst and the median of all seeds: optimality of the deterministic quotes before training, at
the last epoch, and of the best epoch by grade, which is what `mmrl evaluate` plays; beside them the GLFT quotes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

AS, CJ = "avellaneda-stoikov", "cartea-jaimungal"
ROWS: dict[str, tuple[str, dict[str, Any]]] = {
    "nothing": (AS, {}),
    **{f"gamma {x:g}": (AS, {"gamma": x}) for x in (0.01, 0.5, 1.0, 2.0, 5.0)},
    **{f"sigma {x:g}": (AS, {"sigma": x}) for x in (1.0, 6.0)},
    **{f"k {x:g}": (AS, {"k": x}) for x in (0.3, 10.0)},
    **{f"arrival {x:g}": (AS, {"arrival": x}) for x in (5.0, 1000.0)},
    **{f"horizon {x:g}": (AS, {"horizon": x}) for x in (0.5, 5.0)},
    **{f"nt {x}": (AS, {"nt": x}) for x in (50, 400)},
    "fill linear": (AS, {"fill": "linear"}),
    "skew none": (AS, {"skew": "none"}),
    "linear utility": (AS, {"utility": "linear"}),
    "linear utility, skew none": (AS, {"utility": "linear", "skew": "none"}),
    "--noppo": (AS, {"algorithm": "reinforce"}),
    "--noclip": (AS, {"noclip": True}),
    "--noadv, mean-variance": (AS, {"noadv": True, "td": False, "utility": "mean-variance"}),
    "categorical": (AS, {"policy": "categorical"}),
    "categorical, k 0.3": (AS, {"policy": "categorical", "k": 0.3}),
    "categorical, gamma 1": (AS, {"policy": "categorical", "gamma": 1.0}),
    "CARA as final utility": (AS, {"utility": "cara"}),
    "CARA, skew none": (AS, {"utility": "cara", "skew": "none"}),
    "CARA, td false": (AS, {"utility": "cara", "td": False}),
    "CARA, td false, skew none": (AS, {"utility": "cara", "td": False, "skew": "none"}),
    "Cartea-Jaimungal": (CJ, {}),
}


def train(job: tuple[str, int]) -> tuple[str, list[float]]:
    """Optimality of one run: before training, at the last epoch, at the best by grade, of GLFT."""
    from mmrl.agents import agent, distances
    from mmrl.evaluate.grade import Grader
    from mmrl.learn.trainer import Trainer
    from mmrl.markets.contract import market_of
    from mmrl.markets.objective import objective_of
    from mmrl.settings.sources import resolve

    name, seed = job
    preset, changes = ROWS[name]
    config, _ = resolve({**changes, "seed": seed, "threads": 1}, None, preset, {})
    trainer, grader = Trainer(config), Grader(config)

    def optimality() -> float:
        return grader.grade(trainer.policy, trainer.normaliser).optimality or float("nan")

    before, found = optimality(), []
    for _ in trainer.run(config.training.ne):
        found.append(optimality())
    quotes, solver = distances(agent("glft", config), config), market_of(config).optimum
    assert solver is not None and quotes is not None
    most = max(grader.optimum.max_inventory, solver.MAX_INVENTORY)
    glft = solver.value_of_quotes(config.market, objective_of(config), quotes, most) / grader.optimum.value
    return name, [before, found[-1], max(found), glft]


def main() -> int:
    """Train all, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--seeds", type=int, default=5, help="training seeds of each row, from 0 on")
    parser.add_argument("--only", default="", help="names of rows, separated by semicolons")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    names = [name for name in ROWS if not given.only or any(part in name for part in given.only.split(";"))]
    results: dict[str, list[list[float]]] = {name: [] for name in names}
    with ProcessPoolExecutor(given.processes) as pool:
        for name, row in pool.map(train, [(name, seed) for name in names for seed in range(given.seeds)]):
            results[name].append(row)
            if len(results[name]) == given.seeds and not given.json:
                print(line(name, results[name]), flush=True)
    if given.json:
        keys = ("untrained", "last", "best", "glft")
        print(json.dumps({name: [dict(zip(keys, row, strict=True)) for row in rows] for name, rows in results.items()}))
    return 0


def line(name: str, rows: list[list[float]]) -> str:
    """One row of the table, in percent: worst (median) over the seeds."""
    columns = zip(*rows, strict=True)
    cells = [f"{100 * min(column):8.2f} ({100 * statistics.median(column):.2f})" for column in columns]
    return f"{name:24}" + "  ".join(f"{cell:>18}" for cell in cells[:3]) + f"  glft {100 * rows[0][3]:.2f}"


if __name__ == "__main__":
    sys.exit(main())
