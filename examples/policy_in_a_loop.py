"""A trained policy inside a program of one's own: quotes in, fills out, no torch.

The market here is written by hand: fills at rate A exp(-k d) at distance d from a mid that moves up or down.

    python examples/policy_in_a_loop.py
"""

import math
import random

import mmrl

policy = mmrl.load("good-results/avellaneda-stoikov-ppo")
sigma, k, arrival, steps = 2.0, 1.5, 140.0, 200
dt, mid, cash, inventory = 1 / steps, 100.0, 0.0, 0
rng = random.Random(0)
for step in range(steps):
    quotes = policy.quote(inventory=inventory, time_left=1 - step / steps)
    if rng.random() < 1 - math.exp(-arrival * dt * math.exp(-k * quotes.bid_distance)):
        inventory, cash = inventory + 1, cash - (mid - quotes.bid_distance)
    if rng.random() < 1 - math.exp(-arrival * dt * math.exp(-k * quotes.ask_distance)):
        inventory, cash = inventory - 1, cash + (mid + quotes.ask_distance)
    mid += rng.choice((-1, 1)) * sigma * math.sqrt(dt)
print(f"{policy}: wealth {cash + inventory * mid:.2f} with {inventory} shares left")
