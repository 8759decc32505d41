"""Slots: the epochs between two commits outlive the process that wrote them, whole or not at all."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from mmrl.runs import slots
from mmrl.runs.checkpoint import encode, load, save, snapshot
from mmrl.runs.commit import Saved
from mmrl.runs.history import History, read_metrics
from mmrl.runs.listing import METRICS
from mmrl.runs.manifest import entries_of, read_manifest, sound_manifest
from mmrl.runs.slots import NAMES, Slots, held, name_of, reached, settle


def epoch_of(folder: Path, epoch: int) -> Saved:
    """An epoch whose row is written."""
    history = History(folder / METRICS)
    history.write({"epoch": epoch, "value_mean": epoch / 3})
    state = {"w": np.random.default_rng(epoch).random(40), "epoch": epoch}
    return Saved(epoch, encode(epoch, snapshot(state)), history.checksum())


def write(folder: Path, saved: Saved, base: dict[str, str]) -> None:
    Slots(folder).write(saved, base)


def base_of(folder: Path) -> dict[str, str]:
    return dict(entries_of(read_manifest(folder))[-1]["files"])


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Epoch 1 is committed; 2, 3 and 4 went into slots, of which those of 3 and 4 are there."""
    folder = tmp_path / "run"
    folder.mkdir()
    History(folder / METRICS).append({"epoch": 1})
    save(folder, 1, {"w": np.zeros(40), "epoch": 1}, True, {"mmrl": "0"})
    for epoch in (2, 3, 4):
        write(folder, epoch_of(folder, epoch), base_of(folder))
    return folder


def found(folder: Path) -> tuple[list[int], list[str]]:
    saved, faults = held(folder, sound_manifest(folder)[0])
    return [one.epoch for one in saved], faults


def test_the_last_two_epochs_are_held_as_they_were_written(run: Path) -> None:
    assert {path.name for path in (run / "checkpoints").glob("slot_*")} == set(NAMES)
    saved, faults = held(run, read_manifest(run))
    assert [one.epoch for one in saved] == [3, 4] and not faults
    for one in saved:
        again = {"w": np.random.default_rng(one.epoch).random(40), "epoch": one.epoch}
        assert one.files == encode(one.epoch, snapshot(again))
    data = (run / METRICS).read_bytes()
    assert saved[-1].metrics == History(run / METRICS).checksum() and saved[-1].metrics["bytes"] == len(data)
    epoch, state, faults = load(run)
    assert epoch == reached(run) == 4 and state["epoch"] == 4 and not faults
    assert load(run, 1)[1]["epoch"] == 1


def test_a_shorter_epoch_over_a_longer_one_leaves_nothing_of_it(run: Path) -> None:
    long = epoch_of(run, 5)
    tree = long.files["000005.json"]
    write(run, Saved(5, {**long.files, "000005.json": tree + b" " * 1000}, long.metrics), base_of(run))
    write(run, epoch_of(run, 6), base_of(run))
    write(run, epoch_of(run, 7), base_of(run))
    saved, _ = held(run, read_manifest(run))
    assert [one.epoch for one in saved] == [6, 7] and json.loads(saved[-1].files["000007.json"])


def test_torn_anywhere_the_one_before_counts(run: Path) -> None:
    path = run / "checkpoints" / name_of(5)
    old = path.read_bytes()
    fifth = epoch_of(run, 5)
    write(run, fifth, base_of(run))
    new = path.read_bytes()
    for length in range(len(new)):
        for torn in (new[:length], new[:length] + old[length:]):
            path.write_bytes(torn)
            epochs, faults = found(run)
            if torn == old or torn[: len(new)] == new:  # its last bytes may be those that were there
                assert (epochs, faults) == (([3, 4] if torn == old else [4, 5]), [])
            else:
                assert epochs == [4] and len(faults) == 1 and path.name in faults[0], length
                assert load(run)[0] == 4


def test_no_flipped_bit_and_no_lost_block_passes(run: Path) -> None:
    path = run / "checkpoints" / name_of(4)
    good, rng = path.read_bytes(), random.Random(5)
    pieces = []
    for _ in range(200):
        bit, flipped = rng.randrange(8 * len(good)), bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        pieces.append(bytes(flipped))
    pieces += [good[:at] + bytes(64) + good[at + 64 :] for at in range(0, len(good) - 64, 16)]
    for piece in pieces:
        if piece != good:
            path.write_bytes(piece)
            epochs, faults = found(run)
            assert epochs == [3] and len(faults) == 1
    path.write_bytes(good)
    assert found(run) == ([3, 4], [])


def test_a_slot_counts_as_long_as_the_checkpoint_and_the_rows_it_goes_on_from_are_there(run: Path) -> None:
    History(run / METRICS).truncate_after(1)
    History(run / METRICS).append({"epoch": 2, "value_mean": 7.0})  # an older version goes on from epoch 1
    save(run, 2, {"w": np.ones(40), "epoch": 2}, False, {"mmrl": "0"})
    assert found(run)[0] == [] and load(run)[0] == reached(run) == 2
    assert len(settle(run, History(run / METRICS))) == 2 and load(run)[0] == 2
    assert not list((run / "checkpoints").glob("slot_*"))
    write(run, epoch_of(run, 3), {"000001.json": "of another run"})
    assert found(run) == ([], [])
    write(run, epoch_of(run, 3), base_of(run))
    assert found(run) == ([3], [])
    old = epoch_of(run, 2)
    write(run, old, base_of(run))
    assert found(run) == ([3], [])  # none takes the place of a checkpoint


def test_without_its_rows_an_epoch_counts_for_nothing(run: Path) -> None:
    rows = (run / METRICS).read_bytes().splitlines(keepends=True)
    (run / METRICS).write_bytes(b"".join(rows[:3]))  # a power cut took the last one
    epochs, faults = found(run)
    assert epochs == [3] and len(faults) == 1 and "epoch 4" in faults[0]
    (run / METRICS).write_bytes(b"".join(rows).replace(b"0.66", b"0.67"))
    epochs, faults = found(run)
    assert epochs == [] and len(faults) == 2 and load(run)[0] == 1


def test_settled_the_last_two_epochs_are_committed_and_the_rows_after_them_go(run: Path) -> None:
    files = {one.epoch: one.files for one in held(run, read_manifest(run))[0]}
    History(run / METRICS).append({"epoch": 5})
    with (run / METRICS).open("ab") as file:
        file.write(b'{"epoch": 6')
    assert settle(run, History(run / METRICS)) == []
    assert [row["epoch"] for row in read_metrics(run / METRICS)] == [1, 2, 3, 4]
    for name, epochs in (("manifest.json", [1, 3, 4]), ("manifest.previous.json", [1, 3])):  # 1 is the best
        manifest = read_manifest(run, name)
        assert [entry["epoch"] for entry in entries_of(manifest)] == epochs
        assert manifest["best_epoch"] == 1 and manifest["versions"] == {"mmrl": "0"}
    assert entries_of(read_manifest(run))[-1]["metrics"] == History(run / METRICS).checksum()
    there = {path.name: path.read_bytes() for path in (run / "checkpoints").iterdir()}
    assert {**files[3], **files[4]}.items() <= there.items() and not any("slot" in name for name in there)
    before = (run / "manifest.json").read_bytes()
    assert settle(run, History(run / METRICS)) == [] and (run / "manifest.json").read_bytes() == before


def test_a_slot_of_another_making_is_no_state(run: Path) -> None:
    """Whole by its SHA-256, and yet nothing to go on from: the epoch before it is taken."""
    fourth = held(run, read_manifest(run))[0][-1]
    for content in (b"7", b"[" * 10**5, b"{}"):
        write(run, Saved(4, {**fourth.files, "000004.json": content}, fourth.metrics), base_of(run))
        assert found(run)[0] == [3, 4] and load(run)[0] == 3
    header = b'{"epoch": 4, "metrics": {}, "base": {}, "sizes": '
    for text in (header + b"[1]}", header + b'["a", 2]}', header + b"[-5, 2]}", b"[" * 10**5, b"7", b"\xff"):
        (run / "checkpoints" / name_of(4)).write_bytes(b"0" * slots.DIGEST + text + b"\n")
        assert found(run)[0] == [3] and load(run)[0] == 3
    (run / "checkpoints" / name_of(4)).unlink()
    (run / "checkpoints" / name_of(4)).symlink_to(run / "checkpoints" / name_of(3))
    epochs, faults = found(run)
    assert epochs == [3] and "is a link" in faults[0]
    with pytest.raises(ValueError, match="is a link"):
        write(run, fourth, base_of(run))
    (run / METRICS).rename(run / "rows")
    (run / METRICS).symlink_to(run / "rows")
    epochs, faults = found(run)
    assert epochs == [] and all("is a link" in fault for fault in faults)
