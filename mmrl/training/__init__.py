"""A training process: start, loop, signals, episodes."""
