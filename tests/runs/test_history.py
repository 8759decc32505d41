"""metrics.jsonl: whole rows only, whatever stops a writer."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmrl.runs.history import History, read_metrics


def written(path: Path, count: int) -> bytes:
    history = History(path)
    for epoch in range(1, count + 1):
        history.append({"epoch": epoch, "value_mean": epoch * 0.5})
    return path.read_bytes()


def test_nothing_that_is_not_finite_reaches_the_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    History(path).append({"epoch": 1, "kl": float("nan"), "deep": [float("inf"), {"x": -float("inf")}]})
    assert json.loads(path.read_text()) == {"epoch": 1, "kl": None, "deep": [None, {"x": None}]}


def test_rows_are_seen_at_once_and_stay_if_they_cannot_be_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "metrics.jsonl"
    history = History(path)
    history.append({"epoch": 1})
    history.write({"epoch": 2})
    assert [row["epoch"] for row in read_metrics(path)] == [1, 2]
    calls: list[int] = []
    fsync = os.fsync
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: (calls.append(descriptor), fsync(descriptor))[1])
        history.sync()
        history.sync()  # is done
        assert len(calls) == 1
        History(path).sync()  # another process may have left rows that are not on disk
        assert len(calls) == 2
    kept, known = path.read_bytes(), history.checksum()
    assert known == {"bytes": len(kept), "sha256": hashlib.sha256(kept).hexdigest()}
    before = len(os.listdir("/dev/fd"))

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match=r"metrics\.jsonl"):
            history.append({"epoch": 3})
        assert path.read_bytes() == kept and history.checksum() == known
        history.write({"epoch": 3})  # a slot may have its epoch
        with pytest.raises(OSError, match=r"metrics\.jsonl"):
            history.sync()
    assert [row["epoch"] for row in read_metrics(path)] == [1, 2, 3] and len(os.listdir("/dev/fd")) == before
    history.append({"epoch": 4})
    assert history.checksum() == History(path).checksum()


def test_every_torn_tail_keeps_the_whole_rows_and_the_next_row_does_not_stick(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    whole = written(path, 4)
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        rows = whole[:length].count(b"\n")
        assert [r["epoch"] for r in read_metrics(path)] == list(range(1, rows + 1))
        History(path).append({"epoch": rows + 1})
        assert [r["epoch"] for r in read_metrics(path)] == list(range(1, rows + 2))


def test_a_full_disk_leaves_no_half_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.jsonl"
    whole, real = written(path, 3), os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, data[:5]))
    with pytest.raises(OSError, match=r"metrics\.jsonl"):
        History(path).append({"epoch": 4})
    assert path.read_bytes() == whole
    monkeypatch.undo()

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"metrics\.jsonl"):
        History(path).append({"epoch": 4})
    assert path.read_bytes() == whole


def test_several_rows_are_appended_with_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("write", "fsync"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *a, n=name, r=real: (calls.append(n), r(*a))[1])
    history = History(tmp_path / "metrics.jsonl")
    history.append({"epoch": 1}, {"epoch": 2, "kl": float("nan")})
    assert calls == ["write", "fsync"]
    assert read_metrics(history.path) == [{"epoch": 1}, {"epoch": 2, "kl": None}]
    assert history.checksum()["bytes"] == history.path.stat().st_size


def test_rows_beyond_the_checkpoint_are_cut(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    written(path, 6)
    History(path).truncate_after(4)
    assert [r["epoch"] for r in read_metrics(path)] == [1, 2, 3, 4]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([b'{"epoch":1}', b'{"epoch":"x"}', b'{"epoch":null}', b"{}", b"7", b"\xff", b""])))
def test_strange_rows_never_stop_a_reader_or_a_resume(
    tmp_path_factory: pytest.TempPathFactory, rows: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("rows") / "metrics.jsonl"
    path.write_bytes(b"\n".join(rows) + b"\n")
    assert all(isinstance(row, dict) for row in read_metrics(path))
    History(path).truncate_after(1)
    assert sum(row.get("epoch") == 1 for row in read_metrics(path)) == rows.count(b'{"epoch":1}')


def test_rows_go_into_the_file_that_stands_there_after_the_next_sync(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    history = History(path)
    history.append({"epoch": 1})
    for epoch, put in ((2, path.with_suffix(".mine").rename), (5, lambda there: there.unlink(missing_ok=True))):
        path.with_suffix(".mine").write_bytes(path.read_bytes())  # as an editor does
        put(path)
        history.append({"epoch": epoch})  # into the one that is still open
        history.append({"epoch": epoch + 1})
        assert [row["epoch"] for row in read_metrics(path)][-1:] == [epoch + 1]
    history.truncate_after(1)
    history.append({"epoch": 6})
    assert [row["epoch"] for row in read_metrics(path)] == [6]
    history.close()
    before = len(os.listdir("/dev/fd"))
    history.append({"epoch": 7})
    assert len(os.listdir("/dev/fd")) == before + 1
    history.close()
    history.close()
    assert len(os.listdir("/dev/fd")) == before and read_metrics(path)[-1] == {"epoch": 7}
