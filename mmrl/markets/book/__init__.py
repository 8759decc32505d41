"""An order book around a diffusing mid price."""
