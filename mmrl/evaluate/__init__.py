"""Yardsticks: metrics of agents and runs, exact values and optima where a market can be solved."""

MOST_TRAJECTORIES = 100_000_000
"""Of each maker in an evaluation."""
