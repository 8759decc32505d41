"""mmrl against the PPO of stable-baselines3: the same game, the same reward, exact grades over steps and over seconds.

    python -m benchmarks.against_sb3 [--seeds N] [--only "TEXT;TEXT"] [--json] [--save FILE.png|pdf]

stable-baselines3 is no dependency of mmrl. In an environment of its own, from the root of the repository:

    python3 -m venv sb3 && sb3/bin/pip install -e . stable-baselines3 gymnasium
    sb3/bin/python -m benchmarks.against_sb3

Game: preset `avellaneda-stoikov` as it is, and without the skew by which its untrained quotes are nearly optimal. Both
learners see the same observations, act in the same units, start from the same inventories and are paid the same reward
of each step: `entropic`, which the preset trains with, or `mean-variance`, of the same expectation but with the noise
of the mid. With the first, mmrl also prices the risk of the fills, which no reward of a step can do: without that
99.94 % can be reached. Grade: exact value of the deterministic quotes by backward recursion, as a share of the optimum
for CARA utility, every 10 000 steps, or every epoch where it is longer (100 000 in the preset). One thread each;
seconds are of the processor, training alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmrl.agents.learned import in_market_units, quote_table
from mmrl.learn.trainer import Trainer
from mmrl.markets.contract import market_of, spec_of
from mmrl.markets.objective import objective_of
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve

Table = npt.NDArray[np.float64]
PRESET = "avellaneda-stoikov"
CHECK = 10_000
"""Steps between two grades at least."""
LEAST = 100_000
"""Steps of a training, and what their number is a multiple of: an epoch of the preset."""
GOALS = (0.98, 0.99, 0.995, 0.999)
T95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""97.5 % quantiles of Student's t with 1, 2, ... degrees of freedom."""


@dataclass
class Curve:
    """Grades of one training, and the steps and seconds up to each; the clock stands still while it grades."""

    config: Config
    steps: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    optimality: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        solver: Any = market_of(self.config).optimum
        self.solver = solver
        self.objective = objective_of(self.config)
        optimum = solver.optimum(self.config.market, self.objective)
        self.most, self.best, self.spent = max(optimum.max_inventory, solver.MAX_INVENTORY), optimum.value, 0.0
        self.began = time.process_time()

    def start(self) -> None:
        """Forget the time that preparations took."""
        self.began = time.process_time()

    def due(self, steps: int) -> bool:
        """Whether another CHECK steps are over since the last grade."""
        return not self.steps or steps // CHECK > self.steps[-1] // CHECK

    def add(self, steps: int, table: Callable[[int], Table]) -> None:
        """Grade the quotes [steps, 2 Q + 1, 2] that `table(Q)` gives."""
        self.spent += time.process_time() - self.began
        value = self.solver.value_of_quotes(self.config.market, self.objective, table(self.most), self.most)
        self.steps.append(steps)
        self.seconds.append(self.spent)
        self.optimality.append(value / self.best)
        self.began = time.process_time()


def mmrl(config: Config, curve: Curve) -> None:
    """Train as the preset does."""
    Trainer(config).step()  # loads the kernels, or compiles them
    curve.start()
    trainer = Trainer(config)

    def table(most: int) -> Table:
        return quote_table(config, trainer.policy.weights(trainer.normaliser), most)

    curve.add(0, table)
    for epoch in trainer.run(config.training.ne):
        steps = epoch.number * config.training.nb * config.market.nt
        if curve.due(steps):
            curve.add(steps, table)


@dataclass(frozen=True)
class Sb3:
    """stable-baselines3's PPO with some of its settings changed."""

    envs: int
    ppo: dict[str, Any]
    normalise: bool = False
    """Observations and rewards, by its VecNormalize."""
    decay: bool = False
    """The learning rate falls to 0 in a straight line."""

    def __call__(self, config: Config, curve: Curve) -> None:
        """Train for as many steps as mmrl does."""
        from stable_baselines3 import PPO
        from stable_baselines3.common.callbacks import BaseCallback
        from stable_baselines3.common.vec_env import VecNormalize

        from mmrl.gym.sb3 import MarketVecEnv

        settings = dict(self.ppo)
        env: Any = MarketVecEnv(config, self.envs, "policy")
        statistics = VecNormalize(env, gamma=settings.get("gamma", 0.99)) if self.normalise else None
        rate = settings.get("learning_rate", 3e-4)
        if self.decay:
            settings["learning_rate"] = lambda left: rate * left
        model = PPO("MlpPolicy", statistics or env, seed=config.run.seed, device="cpu", **settings)
        curve.start()

        def table(most: int) -> Table:
            inventory, steps = np.arange(-most, most + 1.0), config.market.nt
            left = 1.0 - np.arange(steps) / steps
            seen = np.stack(np.meshgrid(inventory, left), axis=-1).reshape(-1, 2).astype(np.float32)
            action, _ = model.predict(statistics.normalize_obs(seen) if statistics else seen, deterministic=True)
            held = seen[:, 0] * spec_of(config).fade(seen[:, 1].astype(np.float64))
            quotes = in_market_units(config, action.astype(np.float64), held)
            return quotes.reshape(steps, len(inventory), 2)

        class Grade(BaseCallback):
            """Grades whenever another CHECK steps are over, between an update and the next rollout."""

            def _on_rollout_start(self) -> None:
                if curve.due(self.num_timesteps):
                    curve.add(self.num_timesteps, table)

            def _on_step(self) -> bool:
                return True

        model.learn(config.training.ne * config.training.nb * config.market.nt, callback=Grade())
        curve.add(model.num_timesteps, table)


DEFAULTS = Sb3(8, {"n_steps": 256})
"""Its defaults but for eight environments: 2 048 steps a rollout, minibatches of 64, 10 passes, discount 0.99."""
TUNED = Sb3(
    50,
    {
        "n_steps": 200,
        "batch_size": 1000,
        "n_epochs": 5,
        "learning_rate": 3e-3,
        "gamma": 1.0,
        "gae_lambda": 0.9,
        "policy_kwargs": {"net_arch": [32, 32], "log_std_init": -0.8},
    },
    normalise=True,
    decay=True,
)
"""Whole episodes; the preset's network, exploration noise, discount and lambda; observations and rewards normalised.

The best of three tried on seed 0. The others make ten passes, one in minibatches of 2 000, one with a learning rate of
1e-3 and lambda = 0.95, the usual one.
"""
QUICK = replace(TUNED, ppo={**TUNED.ppo, "n_epochs": 1, "batch_size": 5000, "learning_rate": 0.012})
"""As little time as possible to 99 % (no skew, entropic), on seeds 10 to 12: the best of 22 tried, with one, two and
five passes, minibatches of 1 000 to 5 000, learning rates of 0.003 to 0.012, and 20, 50 and 100 environments."""
MMRL_QUICK = {"nb": 20, "update_freq": 1, "minibatches": 2}
"""The same for mmrl, on the same seeds: 81 tried, with batches of 10 to 100 trajectories, one, two and four passes, 2
to 32 minibatches and learning rates of 0.005 to 0.02."""
LEARNERS: dict[str, tuple[dict[str, Any], Callable[[Config, Curve], None]]] = {
    "mmrl": ({}, mmrl),
    "mmrl nb=50": ({"nb": 50}, mmrl),
    "mmrl quick": (MMRL_QUICK, mmrl),
    "SB3 tuned": ({}, TUNED),
    "SB3 quick": ({}, QUICK),
    "SB3 defaults": ({}, DEFAULTS),
}
"""What each changes in the preset, and how it trains; the batch of `mmrl nb=50` is that of `SB3 tuned`."""
REWARDS = ("entropic", "mean-variance")
GAMES: dict[str, dict[str, Any]] = {"no skew": {"skew": "none"}, "preset": {}}
ROWS = [(game, reward, learner) for game in GAMES for reward in REWARDS for learner in LEARNERS]


def train(row: tuple[str, str, str], seed: int, steps: int) -> Curve:
    """The curve of one training of `steps` steps."""
    game, reward, learner = row
    changes, learn = LEARNERS[learner]
    config, _ = resolve({**GAMES[game], "utility": reward, "seed": seed, "threads": 1, **changes}, None, PRESET, {})
    epochs = {"ne": steps // (config.training.nb * config.market.nt)}
    config = config.model_copy(update={"training": config.training.model_copy(update=epochs)})
    curve = Curve(config)
    learn(config, curve)
    return curve


def first_at(curve: Curve, goal: float) -> tuple[float, float] | None:
    """Steps and seconds at the first grade of at least `goal`."""
    found = zip(curve.steps, curve.seconds, curve.optimality, strict=True)
    return next(((float(steps), seconds) for steps, seconds, grade in found if grade >= goal), None)


def interval(numbers: list[float]) -> tuple[float, float]:
    """Mean and half of its 95 % interval over seeds, by Student's t; NaN for one seed."""
    n = len(numbers)
    if n < 2:
        return numbers[0], math.nan
    t = T95[n - 2] if n - 2 < len(T95) else 1.96
    return statistics.mean(numbers), t * statistics.stdev(numbers) / math.sqrt(n)


def cells(curves: list[Curve]) -> list[str]:
    """Of one row: steps and seconds to each goal, and the last and the best grade, over the seeds."""
    out = []
    for goal in GOALS:
        reached = [at for curve in curves if (at := first_at(curve, goal)) is not None]
        if len(reached) < len(curves):
            out.append(f"{len(reached)} of {len(curves)}")
            continue
        steps, seconds = (interval([at[k] for at in reached]) for k in (0, 1))
        out.append(f"{steps[0] / 1e6:.2f} ± {steps[1] / 1e6:.2f} M, {seconds[0]:.2g} ± {seconds[1]:.2g} s")
    for grades in ([c.optimality[-1] for c in curves], [max(c.optimality) for c in curves]):
        mean, half = interval(grades)
        out.append(f"{100 * mean:.2f} ± {100 * half:.2f} %")
    return out


def save(path: Path, found: dict[tuple[str, str, str], list[Curve]]) -> None:
    """Draw what is missing to the optimum over steps and over seconds, a line a seed."""
    from mmrl.plots.figures import HUES, STYLE, matplotlib

    rc_context, figure_class = matplotlib()
    games = sorted({row[:2] for row in found}, key=[row[:2] for row in found].index)
    with rc_context(STYLE):
        figure = figure_class(figsize=(8, 2.6 * len(games)), layout="constrained")
        panels = figure.subplots(len(games), 2, squeeze=False, sharey=True)
        for (game, reward, learner), curves in found.items():
            hue = HUES[list(LEARNERS).index(learner)]
            for k, (axis, unit) in enumerate((("steps", "million steps"), ("seconds", "seconds of one core"))):
                panel = panels[games.index((game, reward)), k]
                scale = 1e-6 if k == 0 else 1.0
                for curve in curves:
                    first = k  # no time has passed before training, which a logarithmic axis cannot show
                    across = scale * np.array(getattr(curve, axis))[first:]
                    label = learner if curve is curves[0] else None
                    panel.plot(across, 100 * (1 - np.array(curve.optimality)[first:]), color=hue, lw=0.8, label=label)
                panel.set(yscale="log", xlabel=unit, title=f"{game}, {reward}")
                if k == 1:
                    panel.set(xscale="log")
        for row in panels:
            row[0].set_ylabel("% of the optimum missing")
            row[0].legend()
        figure.savefig(path, dpi=150)


def main() -> int:
    """Train all, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="training seeds of each row, from 0 on")
    parser.add_argument("--steps", type=int, default=6_000_000, help=f"of each training, a multiple of {LEAST}")
    parser.add_argument("--only", default="", help="parts of the names of rows, separated by semicolons")
    parser.add_argument("--json", action="store_true", help="print all curves as JSON")
    parser.add_argument("--save", type=Path, help="draw the curves into this PNG or PDF file (needs matplotlib)")
    given = parser.parse_args()
    rows = [row for row in ROWS if not given.only or any(part in ", ".join(row) for part in given.only.split(";"))]
    if given.steps < LEAST or given.steps % LEAST or given.seeds < 1 or not rows:
        parser.error(f"--steps must be a multiple of {LEAST}, --seeds at least 1, --only a part of a row's name")
    missing = [name for name in ("stable_baselines3", "gymnasium") if importlib.util.find_spec(name) is None]
    if missing and any(row[2].startswith("SB3") for row in rows):
        print(f"{' and '.join(missing)} not installed: see the top of {__file__}, or --only mmrl", file=sys.stderr)
        return 1
    if given.save and importlib.util.find_spec("matplotlib") is None:
        print("--save needs matplotlib: pip install matplotlib", file=sys.stderr)
        return 1
    import torch

    torch.set_num_threads(1)
    found: dict[tuple[str, str, str], list[Curve]] = {row: [] for row in rows}
    for seed in range(given.seeds):  # the learners take turns, so that other load on the machine meets all alike
        for row in rows:
            found[row].append(train(row, seed, given.steps))
            last = found[row][-1]
            reached = ", ".join(f"{100 * goal:g} % at {first_at(last, goal)}" for goal in GOALS)
            print(f"seed {seed}: {', '.join(row)}: {reached}, last {last.optimality[-1]:.4f}", file=sys.stderr)
    if given.save:
        save(given.save, found)
    if given.json:
        keys = ("steps", "seconds", "optimality")
        out = {", ".join(row): [{key: getattr(c, key) for key in keys} for c in found[row]] for row in rows}
        print(json.dumps(out))
        return 0
    head = ["game", "reward", "learner", *(f"{100 * goal:g} %" for goal in GOALS), "last", "best"]
    print("| " + " | ".join(head) + " |\n" + "|---" * len(head) + "|")
    for row, curves in found.items():
        print("| " + " | ".join([*row, *cells(curves)]) + " |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
