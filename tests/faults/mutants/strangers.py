"""Trust in strangers: any name, any link, any size, any object, any version."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.faults.mutants.everywhere import everywhere


def any_name() -> None:
    """Take every name as it comes."""
    everywhere("valid_name", lambda name: True)
    everywhere("run_folder", lambda root, name: Path(root) / name)
    everywhere("namesake", lambda root, name, but="": "")


def _plain_open(path: Path, flags: int = os.O_RDONLY) -> int:
    return os.open(path, flags, 0o644)


class _WithoutNoFollow:
    """The module os, but opening follows links."""

    O_NOFOLLOW = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


def links_followed() -> None:
    """Follow links and wait for pipes."""
    from mmrl.runs import lock

    def folder(place: Path, name: str) -> Path:
        (place / name).mkdir(exist_ok=True)
        return place / name

    everywhere("refuse_links", lambda place: None)
    everywhere("inner_folder", folder)
    everywhere("open_plain", _plain_open)
    lock.os = _WithoutNoFollow()  # type: ignore[attr-defined, assignment]
    lock.RunLock._still_there = lambda self: True  # type: ignore[method-assign]


def no_size_limit() -> None:
    """Read files of any size in one piece."""

    def read(path: Path, limit: int = 0) -> bytes:
        return path.read_bytes()

    everywhere("read_plain", read)


def pickles_loaded() -> None:
    """Load arrays as numpy does when it is told to trust them."""
    import io

    import numpy as np

    from mmrl.runs import episodes

    def unpacked(data: bytes) -> Any:
        with np.load(io.BytesIO(data), allow_pickle=True) as archive:
            return {name: archive[name] for name in archive.files}

    episodes.unpacked = unpacked


def any_state() -> None:
    """Show whatever stands in status.json, in messages too."""
    import cli
    from mmrl.runs import listing

    class Everything:
        def __contains__(self, item: object) -> bool:
            return True

    listing.STATES = Everything()  # type: ignore[attr-defined, assignment]
    vars(cli)["printable"] = str


def any_schema() -> None:
    """Read runs of every schema version."""
    from mmrl.runs import manifest

    manifest.SCHEMA = 10**9


def unknown_keys_dropped() -> None:
    """Pass over settings that nobody knows."""
    from mmrl.settings import model as config
    from mmrl.settings import sources as config_sources

    real = config_sources._flat

    def known(table: Any, source: str) -> dict[str, Any]:
        dropped = {
            key: {name: item for name, item in value.items() if name in config.GROUPS[key].model_fields}
            if key in config.GROUPS
            else value
            for key, value in table.items()
        }
        return real(dropped, source)

    config_sources._flat = known
