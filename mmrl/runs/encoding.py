"""Values as JSON in few bytes and little time: rows of metrics.jsonl and states of checkpoints."""

from __future__ import annotations

import json
import math
from typing import Any

_slower = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


def encoded(value: Any) -> bytes:
    """JSON without NaN: every number that is not finite becomes null. Floats are read back as the same numbers."""
    from pydantic_core import PydanticSerializationError, to_json  # five times as fast as json

    try:
        return to_json(value, inf_nan_mode="null")
    except PydanticSerializationError:  # a name that is no Unicode, from the file system
        return _slower(plain(value)).encode()


def plain(value: Any) -> Any:
    """The value with null in place of every number that is not finite."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
