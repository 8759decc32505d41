"""An order book around a diffusing mid price: see README.md."""

DEFAULT = True
"""This market is traded in when none is named."""
