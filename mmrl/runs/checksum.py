"""JSON objects that carry a SHA-256 of themselves: a flipped digit is noticed."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def seal(body: dict[str, Any]) -> bytes:
    """A JSON object with its digest. Raises ValueError on numbers that are not finite."""
    return json.dumps({**body, "digest": digest(body)}, allow_nan=False, indent=1).encode()


def digest(body: dict[str, Any]) -> str:
    """SHA-256 of all of an object but its digest."""
    rest = {key: value for key, value in body.items() if key != "digest"}
    return sha256(json.dumps(rest, sort_keys=True).encode())


def unseal(data: bytes) -> dict[str, Any]:
    """The object without its digest; one that has none was written by hand or by an early version.

    Raises ValueError when it is no JSON object or does not match its digest.
    """
    try:
        body = json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(body, dict):
        raise ValueError("it is not a table")
    if "digest" in body and body.pop("digest") != digest(body):
        raise ValueError("it does not match its SHA-256")
    return body
