"""Train a policy of stable-baselines3 in our market, and grade it beside one of ours.

pip install '.[gymnasium]' stable-baselines3
python examples/stable_baselines.py [STEPS]

The quotes start without the market's usual skew by the inventory (`skew="none"`), with which untrained quotes are
nearly optimal already: so there is something to learn. Expect some 53 % of the optimum before the training, and more
than 95 % after the 250 000 steps of the default, which take some minutes. Ours reaches 99.99 %.
"""

import sys

from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecNormalize

import mmrl
from mmrl.gym.sb3 import MarketVecEnv

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 250_000
config = mmrl.Config.of("avellaneda-stoikov", skew="none", threads=1)
env = VecNormalize(MarketVecEnv(config, num_envs=50), gamma=1.0)
model = PPO(
    "MlpPolicy", env, learning_rate=lambda left: 3e-3 * left, n_steps=200, batch_size=1000, n_epochs=5, gamma=1.0,
    gae_lambda=0.9, policy_kwargs={"net_arch": [32, 32], "log_std_init": -1.5}, device="cpu", seed=0,
)  # fmt: skip


def saved(name: str) -> str:
    """Keep the policy and the statistics that normalise what it sees: a name that `mmrl evaluate --agent` takes too."""
    model.save(f"{name}.zip")
    env.save(f"{name}.pkl")
    return f"sb3:{name}.zip,{name}.pkl"


untrained = saved("sb3_untrained")
model.learn(steps)
trained = saved("sb3_model")
found = mmrl.evaluate(
    "good-results/avellaneda-stoikov-ppo", untrained, trained, config=mmrl.Config.of("avellaneda-stoikov"),
    trajectories=1000,
)  # fmt: skip
print(found)
before, after = (100 * row["optimality"] for row in found[1:])
print(f"stable-baselines3: {before:.2f} % of the optimum untrained, {after:.2f} % trained")
