"""Market making by reinforcement learning: simulate, train, watch."""

__version__ = "0.1.0"
