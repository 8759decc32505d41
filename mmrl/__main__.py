"""Starts the command line: `mmrl` and `python -m mmrl`.

Installed, the command line is mmrl.cli and the terminal UI mmrl.tui. In a clone both stand beside this package; there
they are reached by the same names, so that nobody's `cli` or `tui` is taken for them.
"""

from __future__ import annotations

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def main() -> None:
    """Find the command line and run it."""
    _leave_the_current_directory()
    # looking for plugins of pydantic, which settings need none of, costs every start a tenth
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    import mmrl

    if not os.path.isfile(os.path.join(HERE, "cli.py")):
        mmrl.__path__.append(os.path.dirname(HERE))
    from importlib import import_module

    try:
        command = import_module("mmrl.cli")
    except KeyboardInterrupt:  # Ctrl-C in the first tenth of a second
        sys.exit(130)
    command.main()


def _leave_the_current_directory() -> None:
    """Do not import from the current directory, where `python -m` looks first: a json.py there is data of the user."""
    try:
        here = os.getcwd()
    except OSError:
        here = ""
    clone = os.path.dirname(HERE)
    if not sys.flags.safe_path and sys.path and sys.path[0] in ("", here) and here != clone:
        del sys.path[0]


if __name__ == "__main__":
    main()
