"""Trust in strangers: any name, any link, any size, any object, any version."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def any_name() -> None:
    """Take every name as it comes."""
    from mmrl.runs import names, store

    for module in (names, store):
        module.valid_name = lambda name: True  # type: ignore[attr-defined]
        module.run_folder = lambda root, name: Path(root) / name  # type: ignore[attr-defined]
        module.namesake = lambda root, name, but="": ""  # type: ignore[attr-defined]


def _plain_open(path: Path) -> int:
    import os

    return os.open(path, os.O_RDONLY)


class _WithoutNoFollow:
    """The module os, but opening follows links."""

    O_NOFOLLOW = 0

    def __getattr__(self, name: str) -> Any:
        import os

        return getattr(os, name)


def links_followed() -> None:
    """Follow links and wait for pipes."""
    from mmrl.runs import atomic, commit, doctor, episodes, history, lock, store

    def folder(place: Path, name: str) -> Path:
        (place / name).mkdir(exist_ok=True)
        return place / name

    atomic.refuse_links = store.refuse_links = doctor.refuse_links = lambda place: None  # type: ignore[assignment]
    for module in (atomic, commit, episodes, store):
        module.inner_folder = folder  # type: ignore[attr-defined]
    for module in (atomic, history, store):
        module.open_plain = _plain_open  # type: ignore[attr-defined]
    lock.os = _WithoutNoFollow()  # type: ignore[attr-defined]
    lock.RunLock._still_there = lambda self: True  # type: ignore[method-assign]


def no_size_limit() -> None:
    """Read files of any size in one piece."""
    from mmrl.runs import atomic, control, doctor, episodes, history, manifest, status, store

    def read(path: Path, limit: int = 0) -> bytes:
        return path.read_bytes()

    for module in (atomic, control, doctor, episodes, history, manifest, status, store):
        if hasattr(module, "read_plain"):
            module.read_plain = read  # type: ignore[attr-defined]


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
    """Show whatever stands in status.json."""
    from mmrl.runs import store

    class Everything:
        def __contains__(self, item: object) -> bool:
            return True

    store.STATES = Everything()  # type: ignore[attr-defined, assignment]


def any_schema() -> None:
    """Read runs of every schema version."""
    from mmrl.runs import manifest

    manifest.SCHEMA = 10**9


def unknown_keys_dropped() -> None:
    """Pass over settings that nobody knows."""
    from mmrl import config, config_sources

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
