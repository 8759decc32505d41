"""manifest.json: which checkpoint counts, with the SHA-256 of its files. Replacing it is the commit point."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from mmrl.runs.atomic import durable_write

SCHEMA = 1
CURRENT, PREVIOUS = "manifest.json", "manifest.previous.json"


class BrokenRun(ValueError):
    """A run folder whose files cannot be trusted or understood."""


class FutureRun(BrokenRun):
    """A run folder written by a later version."""


def sha256(data: bytes) -> str:
    """Hexadecimal SHA-256."""
    return hashlib.sha256(data).hexdigest()


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Commit: from here on the manifest's newest checkpoint is the run's; the manifest before it is kept too."""
    body = {"schema": SCHEMA, **manifest}
    body["digest"] = _digest(body)
    _keep_previous(folder)
    durable_write(folder / CURRENT, json.dumps(body, allow_nan=False, indent=1).encode())


def _digest(body: dict[str, Any]) -> str:
    rest = {key: value for key, value in body.items() if key != "digest"}
    return sha256(json.dumps(rest, sort_keys=True).encode())


def _keep_previous(folder: Path) -> None:
    try:
        read_manifest(folder)
        data = (folder / CURRENT).read_bytes()
    except (BrokenRun, FileNotFoundError):
        return  # a damaged manifest must not replace a sound previous one
    temporary = folder / f".{PREVIOUS}.{os.getpid()}.tmp"
    try:
        temporary.unlink(missing_ok=True)
        os.link(folder / CURRENT, temporary)  # on disk already: costs no fsync of its own
        os.replace(temporary, folder / PREVIOUS)
    except OSError:  # a file system without hard links
        durable_write(folder / PREVIOUS, data)
    finally:
        temporary.unlink(missing_ok=True)


def sound_manifest(folder: Path) -> tuple[dict[str, Any], list[str]]:
    """The manifest, or the one before it where it is damaged or gone, and what was wrong.

    Raises BrokenRun when neither can be used and FutureRun on a run of a later version.
    """
    try:
        manifest = read_manifest(folder)
        if manifest or not (folder / PREVIOUS).exists():
            return manifest, []
        fault = BrokenRun(f"{folder / CURRENT} is missing")
    except FutureRun:
        raise
    except BrokenRun as error:
        fault = error
    try:
        previous = read_manifest(folder, PREVIOUS)
    except BrokenRun:
        previous = {}
    if not previous:
        raise fault
    return previous, [f"the manifest is damaged ({fault})"]


def read_manifest(folder: Path, name: str = CURRENT) -> dict[str, Any]:
    """The manifest, empty when there is none yet; raises BrokenRun on a broken one or one of the future."""
    try:
        manifest = json.loads((folder / name).read_bytes())
    except FileNotFoundError:
        return {}
    except (ValueError, RecursionError):
        raise BrokenRun(f"{folder / name} is not readable JSON: restore it from a copy") from None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("schema"), int):
        raise BrokenRun(f"{folder / name} names no schema version: it is not a run of mmrl")
    if manifest.get("digest", "") not in ("", _digest(manifest)):
        raise BrokenRun(f"{folder / name} does not match its SHA-256: restore it from a copy")
    if manifest["schema"] > SCHEMA:
        raise FutureRun(f"{folder.name} has schema {manifest['schema']}, this mmrl reads up to {SCHEMA}: update mmrl")
    return manifest
