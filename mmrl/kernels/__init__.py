"""Compiled building blocks that know no market: randomness, networks, rewards, the rollout loop."""
