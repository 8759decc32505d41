"""Market making by reinforcement learning: simulate, train, watch."""
