"""JSON objects stored with a SHA-256 of themselves, so that a changed digit is noticed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

_encoded = json.JSONEncoder(allow_nan=False).encode
_sorted = json.JSONEncoder(sort_keys=True).encode
_newest: tuple[bytes, ...] = ()
"""What with_checksum() made last: a trainer reads its own manifest and status back after every epoch."""


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def with_checksum(body: dict[str, Any]) -> bytes:
    """A JSON object with its SHA-256 under `digest`, one entry a line. Raises ValueError on numbers that are not
    finite."""
    global _newest
    entries = {**body, "digest": digest(body)}.items()
    # `indent` would leave the fast encoder
    lines = (f" {_encoded(key)}: {_encoded(value)}" for key, value in entries)
    text = ("{\n" + ",\n".join(lines) + "\n}").encode()
    _newest = (*_newest[-3:], text)
    return text


def digest(body: dict[str, Any]) -> str:
    """SHA-256 of an object without its `digest`."""
    rest = {key: value for key, value in body.items() if key != "digest"}
    return sha256(_sorted(rest).encode())


def verified(data: bytes) -> dict[str, Any]:
    """The object without its digest, which is checked; one without a digest was written by hand or an early version.

    Raises ValueError when the data is no JSON object or does not match its digest.
    """
    try:
        body = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(body, dict):
        raise ValueError("it is not a table")
    has_digest, given = "digest" in body, body.pop("digest", None)
    if has_digest and data not in _newest and given != digest(body):
        raise ValueError("it does not match its SHA-256")
    return body
