"""What shows a training while it runs: live charts, plain lines, JSON, a log."""
