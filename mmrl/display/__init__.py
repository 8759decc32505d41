"""Shows a run while it trains: live charts, plain lines, JSON, a log."""
