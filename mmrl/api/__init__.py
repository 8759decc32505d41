"""The functions that `import mmrl` offers: train, evaluate, simulate, runs and markets."""
