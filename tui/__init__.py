"""The terminal user interface: watches run folders, writes control files, starts detached training processes.

It never imports torch or numba and knows runs only through their folders, so that whatever becomes of it, training
goes on.
"""
