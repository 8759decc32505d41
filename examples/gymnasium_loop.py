"""A market as an environment of gymnasium: one of them, then a thousand at once.

pip install '.[gymnasium]'
python examples/gymnasium_loop.py
"""

import gymnasium
import numpy as np

import mmrl.gym  # noqa: F401 - makes its markets known to gymnasium

env = gymnasium.make("mmrl/AvellanedaStoikov-v0", sigma=3.0, nt=100)
observation, info = env.reset(seed=0)
done = False
while not done:
    observation, reward, terminated, truncated, info = env.step(np.zeros(2, np.float32))  # quotes at 1/k, leaning by q
    done = terminated or truncated
print(f"one episode: {info}")

envs = gymnasium.make_vec("mmrl/AvellanedaStoikov-v0", num_envs=1000, vectorization_mode="vector_entry_point")
envs.reset(seed=0)
for _ in range(200):
    *_, terminated, truncated, info = envs.step(np.zeros((1000, 2), np.float32))
print(f"1000 episodes: mean wealth {info['wealth'].mean():.2f}")
