"""A trained policy as its users need it: numpy alone, no torch, no compiled code."""
