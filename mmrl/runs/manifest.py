"""manifest.json: which checkpoint counts, with the SHA-256 of its files. Replacing it is the commit point."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import durable_write

SCHEMA = 1


class BrokenRun(ValueError):
    """A run folder whose files cannot be trusted or understood."""


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Commit: from here on the manifest's newest checkpoint is the run's."""
    text = json.dumps({"schema": SCHEMA, **manifest}, allow_nan=False, indent=1)
    durable_write(folder / "manifest.json", text.encode())


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest, empty when there is none yet; raises BrokenRun on a broken one or one of the future."""
    try:
        manifest = json.loads((folder / "manifest.json").read_bytes())
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):
        raise BrokenRun(f"{folder / 'manifest.json'} is not readable JSON: restore it from a copy") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("schema"), int):
        raise BrokenRun(f"{folder / 'manifest.json'} names no schema version: it is not a run of mmrl")
    if manifest["schema"] > SCHEMA:
        raise BrokenRun(f"{folder.name} has schema {manifest['schema']}, this mmrl reads up to {SCHEMA}: update mmrl")
    return manifest
