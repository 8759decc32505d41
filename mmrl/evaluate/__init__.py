"""Yardsticks: metrics of agents and runs, exact values and optima where a market can be solved."""
