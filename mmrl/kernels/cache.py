"""Compiled kernels on disk, for numba: files that only this user can have written, each with its SHA-256.

Numba's own cache unpickles whatever lies in its folder. Here a file that is damaged, or that somebody else owns or may
write, counts as missing: the kernel is compiled anew and the file replaced. Where the folder cannot be used kernels are
not kept: numba's next choice is the package itself, where it knows a kernel by its own file alone, so that it would run
what was compiled from other sources.
"""

from __future__ import annotations

import hashlib
import os
import pickle  # numba's format; only what this user has written is read, see _Files.read
import stat
import time
from pathlib import Path
from typing import Any

from numba.core import caching

from mmrl.settings.errors import note

DIGEST = hashlib.sha256().digest_size
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH
kept_in = Path()
"""The folder of all kernels, of one version of their sources."""
_told: set[Path] = set()


class Untrusted(Exception):
    """A file that must not be loaded; the message says why."""


class _Place(caching.UserProvidedCacheLocator):
    """Where the files of a kernel lie: below `kept_in`, and nowhere else."""

    def __init__(self, function: Any, source: str) -> None:
        self._py_file, self._lineno = source, function.__code__.co_firstlineno
        self._cache_path = str(kept_in / self.get_suitable_cache_subpath(source))

    @classmethod
    def from_function(cls, function: Any, source: str) -> _Place:
        """Raises OSError or Untrusted where nothing can be kept."""
        place = cls(function, source)
        place.ensure_cache_path()
        return place

    def ensure_cache_path(self) -> None:
        make_private(self._cache_path)


class _Kept(caching.CompileResultCacheImpl):
    _locator_classes = [_Place]  # noqa: RUF012


class KernelCache(caching.FunctionCache):
    """The files of one kernel. Nothing that happens to them ends the program."""

    _impl_class = _Kept

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        numbas = self._cache_file
        self._files = _Files(numbas._cache_path, self._impl.filename_base, numbas._source_stamp)
        self._cache_file = self._files

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The kernel for a signature, None when it must be compiled."""
        try:
            return super().load_overload(sig, target_context)
        except Exception as error:
            _tell(f"{_reason(error)}: compiling anew")
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled kernel; that it cannot be kept is only noted."""
        try:
            super().save_overload(sig, data)
        except Exception as error:
            _tell(f"{_reason(error)}: the next start compiles again")

    def holds(self, codegen: Any) -> bool:
        """Whether a sound file has this kernel, in any signature, for this processor."""
        try:
            index = self._files._load_index()
            mine = self._index_key(None, codegen)[1:]
            names = [name for key, name in index.items() if key[1:] == mine]
            return bool(names) and all(self._files.read(name) for name in names)
        except Exception:
            return False


def _tell(text: str) -> None:
    """Note the first fault of the folder; others there are likely of the same kind."""
    if kept_in not in _told:
        _told.add(kept_in)
        note(f"compiled kernels in {kept_in}: {text}")


def cannot_keep(error: Exception) -> None:
    """Say why a kernel has no place on the disk."""
    _tell(f"{_reason(error)}: none are kept, each start compiles anew")


def faulty() -> bool:
    """Whether something was wrong with kernels on the disk."""
    return bool(_told)


class _Files(caching.IndexDataCacheFile):
    """An index and data files as numba has them; each begins with the SHA-256 of its name and content."""

    def read(self, name: str) -> bytes:
        """The content of a file; raises Untrusted unless it is whole and only this user can have written it."""
        make_private(self._cache_path)
        # Not blocking: a pipe in the place of a file would wait for a writer.
        try:
            descriptor = os.open(self._data_path(name), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        except FileNotFoundError:
            raise
        except OSError as error:  # numba passes over it without a word
            raise Untrusted(f"{name} cannot be read ({error.strerror})") from None
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            os.close(descriptor)
            raise Untrusted(f"{name} is no file")
        with os.fdopen(descriptor, "rb") as file:
            if facts.st_uid != os.geteuid() or facts.st_mode & WRITABLE_BY_OTHERS:
                raise Untrusted(f"{name} belongs to another user, or others may write it")
            data = file.read()
        if data[:DIGEST] != _digest(name, data[DIGEST:]):
            raise Untrusted(f"{name} is damaged")
        return data[DIGEST:]

    def _load_index(self) -> dict[Any, str]:
        """Names of the data files by signature and processor; none when the index is missing or of other sources."""
        try:
            version, stamp, names = pickle.loads(self.read(self._index_name))
        except FileNotFoundError:
            return {}
        return names if (version, stamp) == (self._version, self._source_stamp) else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_name, (self._version, self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        return pickle.loads(self.read(name))

    def _save_data(self, name: str, data: Any) -> None:
        self._write(name, data)

    def save(self, key: Any, data: Any) -> None:
        """Add a kernel; an index that cannot be used begins anew."""
        try:
            self._load_index()
        except Exception:
            self._save_index({})
        super().save(key, data)

    def _write(self, name: str, content: Any) -> None:
        make_private(self._cache_path)
        packed = self._dump(content)
        path = Path(self._data_path(name))
        if path.is_dir() and not path.is_symlink():
            path.rename(path.with_name(f"{name}.folder-{time.time_ns()}"))  # with all that it holds
        with self._open_for_write(self._data_path(name)) as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(_digest(name, packed) + packed)


def make_private(folder: str | Path) -> None:
    """Let only this user write into a folder of ours, made where it is missing; a file in its place is renamed.

    Raises OSError where it cannot be, Untrusted if it is not theirs.
    """
    if os.path.lexists(folder) and not os.path.isdir(folder):
        os.rename(folder, f"{folder}.file-{time.time_ns()}")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    facts = os.stat(folder)
    if facts.st_uid != os.geteuid():
        raise Untrusted(f"the folder {Path(folder).name} belongs to another user")
    if facts.st_mode & WRITABLE_BY_OTHERS:
        os.chmod(folder, 0o700)


def _digest(name: str, content: bytes) -> bytes:
    """The name is part of it: one sound file must not stand for another."""
    return hashlib.sha256(name.encode() + b"\0" + content).digest()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename:
        return f"{Path(str(error.filename)).name}: {error.strerror}"
    return str(error) if isinstance(error, Untrusted) else repr(error)
