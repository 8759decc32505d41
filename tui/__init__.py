"""The terminal user interface: watches run folders, writes control.json, starts training in the background.

It never imports torch or numba and knows runs only by their folders: training does not depend on it.
"""

import os

os.environ.setdefault("ESCDELAY", "25")
"""Milliseconds that Textual waits for more after an Escape, which may begin another key: its own 100 are felt."""
