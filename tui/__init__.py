"""The terminal user interface: watches run folders, writes control.json, starts training in the background.

It never imports torch or numba and knows runs only by their folders: training does not depend on it.
"""
