"""Learning: policies, returns, updates and the training loop."""
