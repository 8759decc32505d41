"""Simulated markets: the order book, its diffusive market and the Avellaneda-Stoikov game."""
