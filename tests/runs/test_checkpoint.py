"""Checkpoints: whole round trips, and no damage that goes unnoticed."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
import torch

from mmrl.runs.checkpoint import Constant, encode, load, packed, save, snapshot
from mmrl.runs.manifest import CURRENT, PREVIOUS, BrokenRun, keep_previous, read_manifest, sha256, write_manifest

VERSIONS = {"mmrl": "0"}


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        a = a.numpy()
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and a.shape == b.shape and np.array_equal(a, b)
    if isinstance(a, dict):
        return isinstance(b, dict) and list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return type(a) is type(b) and a == b


def state(epoch: int) -> dict[str, Any]:
    return {"w": np.full(5, float(epoch)), "epoch": epoch}


def run_of(folder: Path, epochs: int, best: int = 1) -> None:
    for epoch in range(1, epochs + 1):
        save(folder, epoch, state(epoch), best=epoch == best, versions=VERSIONS)


def test_a_snapshot_is_what_the_state_was() -> None:
    """It is written while training goes on, which changes arrays in place, and lists and dicts."""
    whole: dict[str, Any] = {
        "w": np.arange(4.0),
        "turned": np.arange(6.0).reshape(2, 3).T,
        "t": torch.ones(3),
        "n": [1, [2.0]],
        "d": {},
    }
    taken, before = snapshot(whole), encode(7, snapshot(whole))
    whole["w"][0] = 9.0
    whole["turned"] *= 2.0
    whole["t"].zero_()
    whole["n"][1].append(3)
    whole["d"]["new"] = 1
    assert encode(7, taken) == before != encode(7, snapshot(whole))


def test_tensors_are_packed_as_safetensors_does() -> None:
    rng = np.random.default_rng(0)
    kinds = ["f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1", "?"]
    shapes: list[tuple[int, ...]] = [(), (0,), (1,), (7,), (3, 5), (2, 0, 4)]
    for count in range(40):
        names = [f'/{rng.integers(100)} {k}é"' for k in range(count % 15)]
        drawn = [(rng.random(shapes[rng.integers(len(shapes))]), rng.choice(kinds)) for _ in names]
        tensors = {
            name: (np.asarray(array) * 99).astype(kind) for name, (array, kind) in zip(names, drawn, strict=True)
        }
        tensors = {name: np.asarray(array, order="C") for name, array in tensors.items()}
        assert packed(tensors) == safetensors.numpy.save(tensors)


def test_a_constant_of_a_state_is_what_it_would_be_without() -> None:
    part = {"a": [1, 2.5, None, "é"], "b": {"c": float("inf")}}
    other = {"w": np.arange(3.0), "n": 4}
    constant = Constant(part)
    for _ in range(2):
        files = encode(3, snapshot({"other": other, "part": constant}))
        assert files == encode(3, snapshot({"other": other, "part": part}))


def test_no_file_elsewhere_is_removed_whatever_a_manifest_names(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    run_of(tmp_path / "run", 2, best=0)  # the first goes with the third
    (tmp_path / "precious").write_text("kept")
    manifest = read_manifest(tmp_path / "run")
    for name in ("../../precious", "..", "", str(tmp_path / "precious"), "a" * 400, "\0", "\ud800"):
        manifest["checkpoints"][0]["files"][name] = "0"
    write_manifest(tmp_path / "run", {key: value for key, value in manifest.items() if key != "schema"})
    save(tmp_path / "run", 3, state(3), best=False, versions=VERSIONS)
    assert (tmp_path / "precious").read_text() == "kept" and load(tmp_path / "run")[0] == 3


def test_the_previous_manifest_is_the_last_sound_one(tmp_path: Path) -> None:
    run_of(tmp_path, 3)
    assert read_manifest(tmp_path, PREVIOUS)["checkpoints"][-1]["epoch"] == 2
    keep_previous(tmp_path)
    keep_previous(tmp_path)  # two names of one file now
    assert (tmp_path / PREVIOUS).read_bytes() == (tmp_path / CURRENT).read_bytes()
    assert not list(tmp_path.glob(".*"))
    (tmp_path / f".{PREVIOUS}.tmp").write_text("left by a dead writer")
    save(tmp_path, 4, state(4), best=False, versions=VERSIONS)
    assert read_manifest(tmp_path, PREVIOUS)["checkpoints"][-1]["epoch"] == 3 and not list(tmp_path.glob(".*"))
    (tmp_path / CURRENT).unlink()
    keep_previous(tmp_path)
    assert read_manifest(tmp_path, PREVIOUS)["checkpoints"][-1]["epoch"] == 3
    for write in (
        lambda: save(tmp_path, 5, state(5), best=False, versions=VERSIONS),
        lambda: write_manifest(tmp_path, {}),
    ):
        sound = (tmp_path / PREVIOUS).read_bytes()
        (tmp_path / CURRENT).unlink(missing_ok=True)
        (tmp_path / CURRENT).write_text("damaged")
        write()
        assert (tmp_path / PREVIOUS).read_bytes() == sound and read_manifest(tmp_path)["schema"]


def test_nested_state_with_an_optimiser_comes_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(2):
        model(torch.ones(4, 3)).sum().backward()
        optimiser.step()
    whole = {
        "policy": dict(model.state_dict()),
        "optimiser": optimiser.state_dict(),
        "scalars": {"i": 2**70, "s": "é", "n": None, "b": True, "f": 0.1, "inf": float("-inf")},
        "dtypes": [torch.tensor(x, dtype=d) for x, d in [(1, torch.int64), (True, torch.bool)]],
        "strided": torch.arange(6).reshape(2, 3).T,
        "arrays": [np.arange(6.0).reshape(2, 3).T, np.float32(0.5) * np.ones(3, np.float32)],
        "shared": [model.weight.detach(), model.weight.detach()[:1]],
        "empty": {"list": [], "dict": {}, "tensor": torch.zeros(0, 3)},
        "keys": {
            0: torch.zeros(1),
            "0": torch.ones(1),
            "a/b": torch.full((1,), 2.0),
            "a": {"b": torch.full((1,), 3.0)},
        },
        "__tensor__": {"__tensor__": "not one", "__dict__": []},
    }
    save(tmp_path, 7, whole, best=True, versions=VERSIONS)
    epoch, back, faults = load(tmp_path)
    assert epoch == 7 and faults == [] and same(whole, back)


def test_numbers_of_numpy_that_are_not_finite_come_back_as_plain_ones(tmp_path: Path) -> None:
    save(tmp_path, 1, {"inf": np.float64("inf"), "nan": np.float64("nan")}, best=False, versions=VERSIONS)
    back = load(tmp_path)[1]
    assert back["inf"] == float("inf") and back["nan"] != back["nan"] and type(back["nan"]) is float
    listed: dict[str, Any] = {"few": [1.5, float("-inf"), float("inf")], "huge": [1e308, 1e308], "none": [1, None, 2.5]}
    save(tmp_path, 2, listed, best=False, versions=VERSIONS)
    assert load(tmp_path)[1] == listed


def test_state_without_tensors_and_runs_without_checkpoints(tmp_path: Path) -> None:
    assert load(tmp_path) == (0, {}, [])
    save(tmp_path, 1, {"x": 1}, best=False, versions=VERSIONS)
    assert load(tmp_path) == (1, {"x": 1}, [])


def test_the_last_two_and_the_best_are_kept(tmp_path: Path) -> None:
    run_of(tmp_path, 7, best=3)
    assert sorted({p.stem for p in (tmp_path / "checkpoints").iterdir()}) == ["000003", "000006", "000007"]
    assert read_manifest(tmp_path)["best_epoch"] == 3
    assert load(tmp_path, 3)[1]["epoch"] == 3


@pytest.mark.parametrize("suffix", ["safetensors", "json"])
def test_every_flipped_bit_and_cut_is_noticed_and_the_previous_one_taken(tmp_path: Path, suffix: str) -> None:
    run_of(tmp_path, 3)
    path = tmp_path / "checkpoints" / f"000003.{suffix}"
    good, rng = path.read_bytes(), random.Random(1)
    damages = [good[: rng.randrange(len(good))] for _ in range(100)]
    for _ in range(300):
        bit, flipped = rng.randrange(8 * len(good)), bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        damages.append(bytes(flipped))
    for damaged in damages:
        path.write_bytes(damaged)
        epoch, back, faults = load(tmp_path)
        assert epoch == 2 and same(back, state(2))
        assert len(faults) == 1 and "3" in faults[0]
    path.unlink()
    assert load(tmp_path)[0] == 2


def test_every_flipped_bit_and_cut_of_the_manifest_gives_a_true_checkpoint_or_an_error(tmp_path: Path) -> None:
    run_of(tmp_path, 3)
    path = tmp_path / "manifest.json"
    good, noticed = path.read_bytes(), 0
    damages = [good[:length] for length in range(0, len(good), 3)]
    for bit in range(0, 8 * len(good), 3):
        flipped = bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        damages.append(bytes(flipped))
    for damaged in damages:
        path.write_bytes(damaged)
        epoch, back, faults = load(tmp_path)
        assert epoch == (2 if faults else 3) and same(back, state(epoch)), damaged
        noticed += bool(faults) and "manifest" in faults[0]
    assert noticed > 0.95 * len(damages)  # all but flips in the name of the digest itself


def test_all_checkpoints_damaged_is_an_error_that_says_so(tmp_path: Path) -> None:
    run_of(tmp_path, 3)
    for path in (tmp_path / "checkpoints").iterdir():
        path.write_bytes(b"rot")
    with pytest.raises(BrokenRun, match="no sound checkpoint"):
        load(tmp_path)


def test_training_on_from_an_older_one_forgets_the_damaged_newer_ones(tmp_path: Path) -> None:
    run_of(tmp_path, 6, best=6)
    for epoch in (5, 6):
        (tmp_path / "checkpoints" / f"{epoch:06d}.json").write_bytes(b"rot")
    with pytest.raises(BrokenRun):
        load(tmp_path)
    save(tmp_path, 4, state(4), best=False, versions=VERSIONS)
    assert load(tmp_path)[0] == 4
    manifest = read_manifest(tmp_path)
    assert [e["epoch"] for e in manifest["checkpoints"]] == [4] and manifest["best_epoch"] is None


@pytest.mark.parametrize(
    "tensors",
    [b"", b"\0" * 8, (2**40).to_bytes(8, "little") + b"{}", b"\x02\0\0\0\0\0\0\0[]"],
    ids=["empty", "zeros", "huge", "list"],
)
def test_hostile_files_with_matching_digests_are_damage_too(tmp_path: Path, tensors: bytes) -> None:
    run_of(tmp_path, 2)
    replace_committed(tmp_path, {"000002.safetensors": tensors})
    epoch, _, faults = load(tmp_path)
    assert epoch == 1 and len(faults) == 1


@pytest.mark.parametrize("tree", [b"[" * 200_000, b"7", b'{"x": 1}', b'{"__tensor__": "gone"}', b'{"__dict__": [1]}'])
def test_hostile_trees_with_matching_digests_are_damage_too(tmp_path: Path, tree: bytes) -> None:
    run_of(tmp_path, 2)
    replace_committed(tmp_path, {"000002.json": tree})
    epoch, _, faults = load(tmp_path)
    assert epoch == 1 and len(faults) == 1


def test_a_file_outside_the_folder_is_not_read(tmp_path: Path) -> None:
    run_of(tmp_path, 2)
    secret = tmp_path / "secret"
    secret.write_bytes((tmp_path / "checkpoints" / "000002.json").read_bytes())
    (tmp_path / "checkpoints" / "000002.json").unlink()
    (tmp_path / "checkpoints" / "000002.json").symlink_to(secret)
    assert load(tmp_path)[0] == 1


def test_a_run_of_a_later_version_is_refused_with_both_versions(tmp_path: Path) -> None:
    run_of(tmp_path, 2)
    write_manifest(tmp_path, {**read_manifest(tmp_path), "schema": 99})
    with pytest.raises(BrokenRun, match=r"schema 99.*up to 2"):
        load(tmp_path)


def test_a_failed_commit_keeps_the_old_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mmrl.runs import commit

    run_of(tmp_path, 2)

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(commit, "manifest_text", fail)
    with pytest.raises(OSError):
        save(tmp_path, 3, state(3), best=True, versions=VERSIONS)
    assert load(tmp_path)[0] == 2


def replace_committed(folder: Path, files: dict[str, bytes]) -> None:
    """What a stranger can do: change a file and the digest of it, honestly committed."""
    manifest = json.loads((folder / "manifest.json").read_text())
    for name, data in files.items():
        (folder / "checkpoints" / name).write_bytes(data)
        manifest["checkpoints"][-1]["files"][name] = sha256(data)
    write_manifest(folder, manifest)
