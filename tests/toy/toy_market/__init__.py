"""A toy market: a mid price that walks by whole ticks, steps of random length, an episode that can end early."""
