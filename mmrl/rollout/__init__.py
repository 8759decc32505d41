"""From settings, policy and seeds to a batch of trajectories."""
