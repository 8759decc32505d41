"""Yardsticks: metrics of agents and runs, exact values and optima where a game can be solved."""
