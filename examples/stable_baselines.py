"""Train a policy of stable-baselines3 in our market, and grade it beside one of ours.

pip install '.[gymnasium]' stable-baselines3
python examples/stable_baselines.py [STEPS]
"""

import sys

from stable_baselines3 import PPO

import mmrl
from mmrl.gym.sb3 import MarketVecEnv

steps = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
config = mmrl.Config.of("avellaneda-stoikov", threads=1)
env = MarketVecEnv(config, num_envs=50)
model = PPO("MlpPolicy", env, n_steps=200, batch_size=1000, n_epochs=5, gamma=1.0, gae_lambda=0.9, device="cpu", seed=0)
model.learn(steps)
model.save("sb3_model.zip")
print(mmrl.evaluate("good-results/avellaneda-stoikov-ppo", "sb3:sb3_model.zip", config=config, trajectories=1000))
