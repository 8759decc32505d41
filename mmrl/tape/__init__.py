"""The tape of a market: its messages, written to files and summed up."""
