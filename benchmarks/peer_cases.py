"""One case of benchmarks/peers.py, in the environment that it has made: python -m benchmarks.peer_cases CASE STEPS.

Prints {"value": steps a CPU second, or CPU seconds}. Imports stay inside: most peers are missing where this is checked.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.against_sb3 import Curve, first_at, train
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve

TRAJECTORIES = 1_000
SECONDS = 4.0
"""CPU seconds that speed is measured for, at least."""
GOAL = 0.99


def rate(work: Callable[[], int], clock: Callable[[], float] = time.process_time) -> float:
    """Units a CPU second, or a second of another clock, of work that returns how many it did; its first call is not
    counted."""
    work()
    began, done = clock(), 0
    while clock() - began < SECONDS:
        done += work()
    return done / (clock() - began)


def game(**changes: Any) -> Config:
    """The preset without skew, paid by mean and variance, on one thread."""
    flags = {"skew": "none", "utility": "mean-variance", "threads": 1, **changes}
    return resolve(flags, None, "avellaneda-stoikov", {})[0]


def simulate_mmrl(_: int) -> float:
    """The closed form of Avellaneda & Stoikov."""
    from mmrl.bench.rollout import compiled

    return compiled("avellaneda-stoikov", {"nb": TRAJECTORIES}, agent="avellaneda-stoikov")()


def clock_mmrl(_: int) -> float:
    """The same on all cores."""
    from mmrl.agents import agent, playing
    from mmrl.rollout.buffers import Buffers
    from mmrl.rollout.compiled import rollout

    config = resolve({"nb": TRAJECTORIES}, None, "avellaneda-stoikov", {})[0]
    quoter, buffers = agent("avellaneda-stoikov", config), Buffers(flows=False)
    config = playing("avellaneda-stoikov", config)
    return rate(lambda: rollout(config, quoter, 0, 1, threads=0, buffers=buffers).nnz, time.perf_counter)


def _mbt_gym(trajectories: int) -> Any:
    """mbt_gym's game of Avellaneda & Stoikov, with gymnasium in the place of gym."""
    import gymnasium

    sys.modules["gym"], sys.modules["gym.spaces"] = gymnasium, gymnasium.spaces
    import numpy as np
    from mbt_gym.gym.ModelDynamics import LimitOrderModelDynamics
    from mbt_gym.gym.TradingEnvironment import TradingEnvironment
    from mbt_gym.stochastic_processes.arrival_models import PoissonArrivalModel
    from mbt_gym.stochastic_processes.fill_probability_models import ExponentialFillFunction
    from mbt_gym.stochastic_processes.midprice_models import BrownianMotionMidpriceModel

    common = {"step_size": 1 / 200, "num_trajectories": trajectories, "seed": 1}
    dynamics = LimitOrderModelDynamics(
        midprice_model=BrownianMotionMidpriceModel(volatility=2.0, **common),
        arrival_model=PoissonArrivalModel(intensity=np.array([140.0, 140.0]), **common),
        fill_probability_model=ExponentialFillFunction(fill_exponent=1.5, **common),
        num_trajectories=trajectories,
        seed=1,
    )
    return TradingEnvironment(
        terminal_time=1.0,
        n_steps=200,
        model_dynamics=dynamics,
        num_trajectories=trajectories,
        max_inventory=1_000,
        normalise_action_space=False,
        normalise_observation_space=False,
        seed=1,
    )


def simulate_mbt_gym(_: int, clock: Callable[[], float] = time.process_time) -> float:
    """Its own closed form in its own loop, without its record of the trajectories."""
    env = _mbt_gym(TRAJECTORIES)
    from mbt_gym.agents.BaselineAgents import AvellanedaStoikovAgent

    agent = AvellanedaStoikovAgent(0.1, env)

    def play() -> int:
        seen, steps, over = env.reset(), 0, False
        while not over:
            seen, _, done, _ = env.step(agent.get_action(seen))
            steps, over = steps + TRAJECTORIES, bool(done[0])
        return steps

    return rate(play, clock)


def train_mmrl(_: int) -> float:
    """Epochs of the preset."""
    from mmrl.learn.trainer import Trainer

    trainer = Trainer(game())
    return rate(lambda: trainer.step().batch.nnz)


def train_plain(_: int) -> float:
    """Updates of the single-file loop."""
    from benchmarks.plain_ppo import PlainPPO

    ppo = PlainPPO(game(), 50)

    def update() -> int:
        ppo.train(1, lambda steps: True)
        return ppo.steps * ppo.count

    return rate(update)


def train_sb3(_: int) -> float:
    """SB3's PPO on our environment, as tuned in benchmarks/against_sb3.py, grades not counted."""
    curve = train(("no skew", "mean-variance", "SB3 tuned"), 0, 400_000)
    return curve.steps[-1] / curve.seconds[-1]


def train_sb3_mbt_gym(_: int) -> float:
    """SB3's PPO on mbt_gym's environment, 50 trajectories at a time, with the same settings of PPO."""
    env = _mbt_gym(50)
    from mbt_gym.gym.StableBaselinesTradingEnvironment import StableBaselinesTradingEnvironment
    from stable_baselines3 import PPO

    from benchmarks.against_sb3 import TUNED

    # None, as mbt_gym answers, is no list of attributes for the SB3 of today
    StableBaselinesTradingEnvironment.get_attr = lambda self, *_, **__: [None] * self.env.num_trajectories
    model = PPO("MlpPolicy", StableBaselinesTradingEnvironment(env), seed=0, device="cpu", **TUNED.ppo)

    def update() -> int:
        before = model.num_timesteps
        model.learn(1, reset_num_timesteps=False)
        return int(model.num_timesteps - before)

    return rate(update)


def to_goal(curve: Curve) -> float:
    """CPU seconds to the goal; raises RuntimeError where it was not reached."""
    found = first_at(curve, GOAL)
    if found is None:
        raise RuntimeError(f"best {max(curve.optimality):.4f} in {curve.steps[-1]:,} steps")
    return found[1]


def goal_plain(steps: int) -> float:
    """The single-file loop."""
    from benchmarks.plain_ppo import PlainPPO

    curve = Curve(game())
    ppo = PlainPPO(game(), 50)
    curve.start()

    def after(done: int) -> bool:
        if curve.due(done):
            curve.add(done, ppo.distances)
        return bool(curve.optimality) and curve.optimality[-1] >= GOAL

    ppo.train(steps // (50 * 200), after)
    return to_goal(curve)


CASES: dict[str, Callable[[int], float]] = {
    "simulate/mmrl": simulate_mmrl,
    "simulate/mbt_gym": simulate_mbt_gym,
    "on the clock/mmrl": clock_mmrl,
    "on the clock/mbt_gym": lambda steps: simulate_mbt_gym(steps, time.perf_counter),
    "train/mmrl": train_mmrl,
    "train/sb3": train_sb3,
    "train/sb3 on mbt_gym": train_sb3_mbt_gym,
    "train/plain": train_plain,
    "to 99 %/mmrl": lambda steps: to_goal(train(("no skew", "mean-variance", "mmrl"), 0, steps)),
    "to 99 %/sb3": lambda steps: to_goal(train(("no skew", "mean-variance", "SB3 tuned"), 0, steps)),
    "to 99 %/plain": goal_plain,
}

if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    print(json.dumps({"value": CASES[sys.argv[1]](int(sys.argv[2]))}))
