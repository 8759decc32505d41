"""Durable writes and safe reads: a reader sees the old file or the new one, and only ever a regular file."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from mmrl.settings.errors import note

READ_LIMIT = 64 * 2**20
"""Largest size in bytes of a file of a run, unless its reader says otherwise: a foreign file cannot fill the memory."""

FOLDERS = ("checkpoints", "episodes")
"""The folders inside a run."""

SHARED = "control.json"
"""The only file of a run that other processes than its trainer write."""


class BrokenRun(ValueError):
    """A run folder with files that are damaged, unsafe or unreadable."""


def durable_write(path: Path, data: bytes) -> None:
    """Replace `path` by `data`: temporary file in the same folder, fsync, rename, fsync of the folder.

    A folder that stands in the place of the file keeps all it holds, under another name.
    Raises OSError with the path; the old file then stands untouched and no temporary file is left.
    """
    with Replacement(path.parent, {path.name: data}) as new:
        new.sync()
        new.publish()


class Replacement:
    """Files of one folder, by name, that replace others: inside the context they are written beside them, after sync()
    on disk, after publish() in their place, in their order and with one fsync of the folder. What is not in its place
    when the context ends is removed.

    Several may be open at once, and then the first fsync waits for most of what the others would have waited for
    (begin_sync()). All raise OSError with the path of the file.
    """

    def __init__(self, folder: Path, files: Mapping[str, bytes]) -> None:
        mark = f"{os.getpid()}-{threading.get_native_id()}.tmp"
        self._folder, self._files = folder, files
        self._temporaries = {name: os.path.join(folder, f".{name}.{mark}") for name in files}
        self._open: dict[str, int] = {}
        self._name = ""  # of the file in work

    def __enter__(self) -> Replacement:
        try:
            for name, data in self._files.items():
                self._name = name
                self._open[name] = _written(self._temporaries[name], data)
        except OSError as error:
            self._remove()
            raise self._named(error) from error
        except BaseException:
            self._remove()
            raise
        return self

    def sync(self) -> None:
        """Wait until all are on disk."""
        try:
            for name in list(self._open):
                self._name, descriptor = name, self._open.pop(name)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        except OSError as error:
            raise self._named(error) from error

    def publish(self) -> None:
        """Rename all, in their order, and make that durable."""
        try:
            for name, temporary in self._temporaries.items():
                self._name, path = name, os.path.join(self._folder, name)
                try:
                    os.replace(temporary, path)
                except IsADirectoryError:
                    _set_aside(Path(path))
                    os.replace(temporary, path)
            sync_folder(self._folder)
        except OSError as error:
            raise self._named(error) from error
        self._temporaries = {}

    def __exit__(self, *_: object) -> None:
        self._remove()

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            while self._open:
                os.close(self._open.popitem()[1])
        for temporary in self._temporaries.values():
            with contextlib.suppress(OSError):
                os.unlink(temporary)

    def _named(self, error: OSError) -> OSError:
        """The error with the path: write and fsync do not say which file they failed on."""
        return OSError(error.errno, error.strerror, os.path.join(self._folder, self._name))


def _written(path: str, data: bytes) -> int:
    """A descriptor of a new file with this data."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o644)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        begin_sync(descriptor)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def begin_sync(descriptor: int) -> None:
    """Ask the system to begin to write a file to disk, and do not wait: files that are begun before the first fsync are
    written at the same time. fsync must still be called for each."""
    if hasattr(os, "posix_fadvise"):  # macOS has none
        with contextlib.suppress(OSError):
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)


def _set_aside(path: Path) -> None:
    """Rename a folder that stands where a file belongs."""
    aside, k = path.with_name(f"{path.name}.folder"), 0
    while os.path.lexists(aside):
        k += 1
        aside = path.with_name(f"{path.name}.folder_{k}")
    os.rename(path, aside)
    note(f"{path} was a folder: it is {aside.name} now")


@contextlib.contextmanager
def naming(path: Path) -> Iterator[None]:
    """Add the name of the file to errors of calls on an open file, which do not give it."""
    try:
        yield
    except OSError as error:
        if error.filename is not None or error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error


def refused(error: OSError) -> str:
    """What the system refused, in one line that names the place: the folder, where the file is a temporary one."""
    if not error.filename:
        return str(error)
    folder, name = os.path.split(os.fsdecode(error.filename))
    place = folder if name.startswith(".") and name.endswith(".tmp") else os.fsdecode(error.filename)
    return f"{place}: {error.strerror}: choose another place, or make this one fit"


def sync_folder(folder: Path) -> None:
    """Make renames and removals inside a folder durable."""
    with naming(folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_plain(path: Path, limit: int = READ_LIMIT) -> bytes:
    """The bytes of a regular file of a run.

    Raises FileNotFoundError, and BrokenRun on a link, a pipe, a device, or a file of more than `limit` bytes.
    """
    descriptor = open_plain(path)
    with naming(path), os.fdopen(descriptor, "rb", buffering=0) as file:
        size = os.fstat(descriptor).st_size
        if size > limit:
            raise BrokenRun(f"{path} is larger than {limit // 2**20} MB, the limit for this file")
        data = file.read(size)  # not read(limit): that would allocate `limit` bytes
        while len(data) < size and (more := file.read(size - len(data))):
            data += more
        return data


def open_plain(path: Path, flags: int = os.O_RDONLY) -> int:
    """A descriptor of a regular file of a run, with the checks of read_plain() except that of the size."""
    place = os.path.dirname(path)
    if os.path.basename(place) in FOLDERS and os.path.islink(place):
        raise BrokenRun(f"{place} is a link: links inside a run are not followed")
    try:  # without O_NONBLOCK a pipe in place of a file would block for ever
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    except OSError:
        if path.is_symlink():
            raise BrokenRun(f"{path} is a link: links inside a run are not followed") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise BrokenRun(f"{path} is not a regular file")
    return descriptor


def inner_folder(folder: Path, name: str) -> Path:
    """A folder inside a run, created if missing. Raises BrokenRun if it is a link."""
    place = folder / name
    try:
        kind = os.lstat(place).st_mode
    except FileNotFoundError:
        place.mkdir(exist_ok=True)
        kind = os.lstat(place).st_mode
    if stat.S_ISLNK(kind):
        raise BrokenRun(f"{place} is a link: links inside a run are not followed")
    if not stat.S_ISDIR(kind):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(place))
    return place


def refuse_links(folder: Path) -> None:
    """Raise BrokenRun naming the first link inside a run: nothing may be written outside the run's folder."""
    for place in (folder, *(folder / name for name in FOLDERS)):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(place) as entries:
            for entry in entries:
                if entry.is_symlink():
                    raise BrokenRun(f"{entry.path} is a link: links inside a run are not followed")


def remove_temporaries(folder: Path) -> None:
    """Remove temporary files of interrupted writes; call only while holding the lock of the run.

    The holder of the lock is the only writer of every file except control.json, which another process may be writing.
    """
    for path in folder.glob(".*.tmp"):
        with contextlib.suppress(OSError):
            shared = path.name.startswith(f".{SHARED}.")
            if not shared or time.time() - path.lstat().st_mtime > 60:
                path.unlink(missing_ok=True)
