"""The SHA-256 on the last line of a run's config.toml, by which it is known as a program wrote it."""

from __future__ import annotations

import re

from mmrl.runs.checksum import sha256

NOTE = b"# The last line is the SHA-256 of all above it: after an edit by hand remove it and this line.\n"
_LAST = re.compile(rb"# sha256 ([0-9a-f]{64})\n$")


def seal(text: bytes) -> bytes:
    """A text with the note above it and its SHA-256 below."""
    text = NOTE + text
    return text + f"# sha256 {sha256(text)}\n".encode()


def is_sealed(data: bytes) -> bool:
    """Whether a file is as seal() made it."""
    found = _LAST.search(data)
    return found is not None and sha256(data[: found.start()]).encode() == found[1]


def is_torn(data: bytes) -> bool:
    """Whether a file had a SHA-256 and is no longer what it was of."""
    return (data.startswith(NOTE) or _LAST.search(data) is not None) and not is_sealed(data)
