"""Compiled kernels on disk: what is damaged, or may be another's, is compiled anew, and the program goes on."""

from __future__ import annotations

import importlib.util
import logging
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import pytest
from numba.core import caching

from mmrl.kernels import cache, jit

SOURCE = "def twice(x):\n    return 2 * x\n"
Make = Callable[[], Any]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """A kernel as a new process would have it: nothing in memory, its files below tmp_path."""
    (tmp_path / "small.py").write_text(SOURCE)
    monkeypatch.setattr(cache, "kept_in", tmp_path / "cache")
    monkeypatch.setattr(cache, "_told", set())

    def load() -> Any:
        cache._told.clear()
        spec = importlib.util.spec_from_file_location("small", tmp_path / "small.py")
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return jit.kernel(module.twice)

    yield load


def file(place: Path, suffix: str) -> Path:
    (found,) = (place / "cache").rglob(f"*.{suffix}")
    return found


def outcome(make: Make) -> tuple[float, bool]:
    """The value of a call, and whether it was compiled for."""
    kernel = make()
    return kernel(1.5), not kernel.stats.cache_hits


def test_a_kernel_is_kept_in_private_files(make: Make, tmp_path: Path) -> None:
    old = os.umask(0o002)
    try:
        assert jit.must_compile(make())
        assert outcome(make) == (3.0, True)
    finally:
        os.umask(old)
    assert outcome(make) == (3.0, False)
    assert not jit.must_compile(make())
    for suffix in ("nbi", "nbc"):
        assert file(tmp_path, suffix).stat().st_mode & 0o777 == 0o600
        assert file(tmp_path, suffix).parent.stat().st_mode & 0o022 == 0


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
def test_a_damaged_file_is_a_miss_with_one_note_and_is_replaced(
    suffix: str,
    make: Make,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    figure: Callable[..., None],
) -> None:
    make()(1.5)
    damaged = file(tmp_path, suffix)
    sound = damaged.read_bytes()
    files = make()._cache._cache_file
    refused = 0
    lengths = range(0, len(sound), max(1, len(sound) // 400))
    for length in lengths:
        damaged.write_bytes(sound[:length])
        with pytest.raises(cache.Untrusted):
            files.read(damaged.name)
        refused += 1
    for at in range(0, len(sound), max(1, len(sound) // 400)):
        damaged.write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
        with pytest.raises(cache.Untrusted):
            files.read(damaged.name)
    for data in (b"", sound[: len(sound) // 2], b"\x80\x05.", b"x" * 100, sound[:-1]):
        damaged.write_bytes(data)
        caplog.clear()
        with caplog.at_level(logging.WARNING, "mmrl"):
            assert jit.must_compile(make())
            assert outcome(make) == (3.0, True)
        assert len(caplog.records) == 1 and damaged.name in caplog.text and "compiling anew" in caplog.text
        assert outcome(make) == (3.0, False), "not replaced"
    figure(10, f"cached kernel ({suffix}) cut at lengths: silent", f"{refused}: 0", "0")


def test_numba_alone_trusts_its_files(
    make: Make, tmp_path: Path, caught: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mutant: numba's own cache ends with an EOFError."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    plain: Any = numba.njit(make().py_func)
    plain._cache = caching.FunctionCache(plain.py_func)
    plain(1.5)
    file(tmp_path, "nbi").write_bytes(b"")
    again: Any = numba.njit(make().py_func)
    again._cache = caching.FunctionCache(again.py_func)
    with pytest.raises(EOFError):
        again(1.5)
    caught(10, "numba's own cache of kernels: an empty file ends the program")


@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_files_that_others_may_write_are_not_loaded(suffix: str, mode: int, make: Make, tmp_path: Path) -> None:
    make()(1.5)
    file(tmp_path, suffix).chmod(mode)
    assert outcome(make) == (3.0, True)
    assert file(tmp_path, suffix).stat().st_mode & 0o777 == 0o600
    assert outcome(make) == (3.0, False)


@pytest.mark.skipif(os.geteuid() != 0, reason="gives files away, which needs root")
@pytest.mark.parametrize("what", ["nbi", "nbc", "folder"])
def test_what_another_user_owns_is_not_loaded(what: str, make: Make, tmp_path: Path) -> None:
    make()(1.5)
    path = file(tmp_path, "nbi").parent if what == "folder" else file(tmp_path, what)
    os.chown(path, 12345, 12345)
    assert outcome(make) == (3.0, True)
    assert outcome(make) == (3.0, what == "folder"), "a file is replaced, a folder of others stays unused"


def test_a_sound_file_does_not_stand_for_another(make: Make, tmp_path: Path) -> None:
    make()(1.5)
    make()(1)  # a second signature: a second data file
    first, second = sorted((tmp_path / "cache").rglob("*.nbc"))
    second.write_bytes(first.read_bytes())
    assert make()(1) == 2


@pytest.mark.parametrize("kind", ["pipe", "link", "folder"])
def test_what_is_no_file_neither_blocks_nor_is_followed(
    kind: str, make: Make, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make()(1.5)
    path = file(tmp_path, "nbc")
    data = path.read_bytes()
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link":
        (tmp_path / "elsewhere").write_bytes(data)
        path.symlink_to(tmp_path / "elsewhere")
    else:
        path.mkdir()
        (path / "kept").touch()
    assert outcome(make) == (3.0, True)
    assert "compiling anew" in caplog.text
    assert outcome(make) == (3.0, False)
    assert [p.name for p in path.parent.glob("*.nbc.folder-*/*")] == (["kept"] if kind == "folder" else [])


def test_without_a_folder_nothing_is_kept_and_nothing_is_written_beside_the_sources(
    make: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    caught: Callable[..., None],
) -> None:
    """Beside them numba would find it again after the sources that it calls have changed."""
    (tmp_path / "taken").touch()
    monkeypatch.setattr(cache, "kept_in", tmp_path / "taken" / "kernels")
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "taken"))
    with caplog.at_level(logging.WARNING, "mmrl"):
        assert [outcome(make) for _ in range(2)] == [(3.0, True)] * 2
    assert "none are kept, each start compiles anew" in caplog.text
    assert jit.announced("it") == "compiling it for this processor"
    assert not list(tmp_path.rglob("*.nb?"))
    plain: Any = numba.njit(make().py_func)
    plain._cache = caching.FunctionCache(plain.py_func)
    plain(1.5)
    assert list((tmp_path / "__pycache__").glob("small.twice*.nbi"))
    caught(10, "numba's own cache of kernels: written beside the sources, found again after they changed")


def test_a_file_in_the_place_of_the_folder_of_kernels_is_renamed(make: Make, tmp_path: Path) -> None:
    make()(1.5)
    folder = file(tmp_path, "nbi").parent
    folder.rename(tmp_path / "away")
    folder.write_text("mine")
    assert outcome(make) == (3.0, True)
    assert outcome(make) == (3.0, False)
    (kept,) = folder.parent.glob(f"{folder.name}.file-*")
    assert kept.read_text() == "mine"


def test_a_full_disk_costs_the_cache_and_nothing_else(
    make: Make, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device", "small.nbc")

    monkeypatch.setattr(cache._Files, "_write", full)
    with caplog.at_level(logging.WARNING, "mmrl"):
        assert outcome(make) == (3.0, True)
    assert "small.nbc: No space left on device: the next start compiles again" in caplog.text


def test_the_folders_of_kernels_are_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cache, "kept_in", Path())
    (tmp_path / "mmrl").mkdir()
    (tmp_path / "mmrl").chmod(0o775)  # as an earlier version made it
    jit.keep_by_version()
    folder = cache.kept_in
    for place in (folder, folder.parent, tmp_path / "mmrl"):
        assert place.stat().st_mode & 0o777 == 0o700
    assert folder.parents[1] == tmp_path / "mmrl"
