"""What each command takes on the command line, and which function does it; `cli.py` puts them together."""
