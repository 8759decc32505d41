"""What an output stream can show: colours, and which characters."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from mmrl.plots.picture import Charset


def wants_colour(stream: TextIO) -> bool:
    """Whether escapes may be written to a stream: a terminal, and neither NO_COLOR nor TERM=dumb is set."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return stream.isatty()


def charset(stream: TextIO) -> Charset:
    """The characters that a stream can show: braille, blocks on the Linux console, else ASCII."""
    from mmrl.plots.picture import ASCII, BLOCK, BRAILLE  # loads numpy, which a help page need not

    encoding = (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").replace("_", "")
    if not encoding.startswith("utf"):
        return ASCII
    return BLOCK if os.environ.get("TERM") == "linux" else BRAILLE
