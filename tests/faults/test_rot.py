"""Files cut short, with a flipped bit or a lost block: noticed, or harmless; never other numbers without a word."""

from __future__ import annotations

import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrl.runs import checksum, config_file, episodes, manifest, seal, store
from mmrl.runs.doctor import examine
from mmrl.runs.episodes import read_episode
from mmrl.runs.history import History, read_metrics
from mmrl.runs.manifest import BrokenRun, entries_of, files_of, metrics_checksum, sound_manifest
from mmrl.runs.status import read_raw
from mmrl.settings.errors import ConfigError
from tests.faults.harness import TINY, Nursery

FILES = [
    "checkpoints/{newest}.safetensors",
    "checkpoints/{newest}.json",
    "manifest.json",
    "metrics.jsonl",
    "config.toml",
    "status.json",
    "episodes/{newest}.npz",
]
METRICS = "metrics.jsonl"
EPOCHS = 6
GOES_ON: dict[str, set[int | None]] = {  # from which epochs a resume may go on when a file is damaged
    FILES[0]: {EPOCHS - 1},
    FILES[1]: {EPOCHS - 1},
    "manifest.json": {EPOCHS - 1, EPOCHS},
    "config.toml": {None},
}
STATUS = ("state", "pid", "host", "started", "updated", "target", "epoch", "error")


@pytest.fixture(scope="module")
def run(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    place = tmp_path_factory.mktemp("rot")
    child = nursery.mmrl(
        place, "train", *TINY, "-ne", str(EPOCHS), "-pa", "3", "--results", str(place), "--name", "run"
    )
    assert child.wait() == 0, child.text()
    yield place / "run"


def read(folder: Path, check: bool = True) -> tuple[Any, list[str]]:
    """All that a resume and a plot take from a run, and what they complain of."""
    complaints: list[str] = []
    facts: dict[str, Any] = {}
    try:
        facts["config"] = config_file.read_config(folder).config
        manifest, faults = sound_manifest(folder)
        complaints += faults
        for entry in reversed(entries_of(manifest)):
            try:
                facts["state"] = files_of(folder, entry)
                facts["epoch"] = entry["epoch"]
                break
            except (OSError, ValueError) as error:
                complaints.append(str(error))
        history = History(folder / "metrics.jsonl")
        fault = history.go_back(facts["epoch"], metrics_checksum(folder, facts["epoch"])) if check else None
        complaints += [fault] if fault else []
        facts["metrics"] = read_metrics(folder / "metrics.jsonl")
        facts["episode"] = {name: array.tolist() for name, array in read_episode(folder).items()}
    except (BrokenRun, ConfigError, FileNotFoundError) as error:
        complaints.append(str(error))
    facts["status"] = {key: value for key, value in read_raw(folder).items() if key in STATUS}
    if not facts["status"]:
        complaints.append("no status")
    return facts, complaints


def damages(good: bytes, count: int, blocks: int, rng: random.Random) -> Iterator[bytes]:
    for _ in range(count):
        bit, flipped = rng.randrange(8 * len(good)), bytearray(good)
        flipped[bit // 8] ^= 1 << bit % 8
        yield bytes(flipped)
    for _ in range(blocks):
        at = rng.randrange(max(len(good) - 512, 1))
        yield good[:at] + bytes(min(512, len(good) - at)) + good[at + 512 :]


def tried(
    run: Path, place: Path, name: str, pieces: Iterator[bytes], check: bool = True
) -> tuple[int, int, int, set[int | None]]:
    """How many damages were tried, how many changed what is read without a word, what doctor missed of them.

    And the epochs that a resume would go on from.
    """
    name = name.format(newest=f"{EPOCHS:06d}")
    truth, complaints = read(shutil.copytree(run, place / "truth"))
    assert not complaints
    folder = place / "run"
    shutil.copytree(run, folder)
    number = silent = missed = 0
    epochs = set()
    for number, data in enumerate(pieces, 1):
        (folder / name).write_bytes(data)
        if number % 10 == 0:
            found = examine(shutil.copytree(folder, place / "examined"))
            shutil.rmtree(place / "examined")
        facts, complaints = read(folder, check)
        epochs.add(facts.get("epoch"))
        bad = repr(facts) != repr(truth)  # repr: a NaN equals itself
        if bad and not complaints:
            silent += 1
        if number % 10 == 0 and bad and not found:
            missed += 1
        for path in ("metrics.jsonl", name):
            shutil.copyfile(run / path, folder / path)
    shutil.rmtree(place / "truth")
    return number, silent, missed, epochs


@pytest.mark.parametrize("name", FILES)
def test_bit_rot(run: Path, tmp_path: Path, figure: Callable[..., None], complete: bool, name: str) -> None:
    good = (run / name.format(newest=f"{EPOCHS:06d}")).read_bytes()
    flips, blocks = (1000, 200) if complete else (20, 4)
    number, silent, missed, epochs = tried(run, tmp_path, name, damages(good, flips, blocks, random.Random(3)))
    assert (silent, missed) == (0, 0)
    assert epochs <= GOES_ON.get(name, {EPOCHS})
    what = name.format(newest="newest")
    figure(11, f"bits and blocks lost in {what}: tried, silently accepted", f"{number}, {silent}", "0")


@pytest.mark.parametrize("name", FILES)
def test_truncation(run: Path, tmp_path: Path, figure: Callable[..., None], complete: bool, name: str) -> None:
    good = (run / name.format(newest=f"{EPOCHS:06d}")).read_bytes()
    lengths = np.linspace(0, len(good) - 1, 400 if complete else 12).astype(int)
    number, silent, missed, epochs = tried(run, tmp_path, name, (good[:length] for length in lengths))
    assert (silent, missed) == (0, 0)
    assert epochs <= GOES_ON.get(name, {EPOCHS})
    what = name.format(newest="newest")
    figure(10, f"{what} cut short: tried, silently accepted", f"{number}, {silent}", "0")


class Anything(str):
    """A digest that is equal to every other."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = str.__hash__

    def encode(self, *arguments: str) -> Anything:  # type: ignore[override]
        return self


def without_checksums(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, name in (
        (manifest, "sha256"),
        (checksum, "digest"),
        (seal, "sha256"),
        (store, "sha256"),
        (episodes, "_digest"),
    ):
        monkeypatch.setattr(module, name, lambda *data: Anything())


# but for the manifest, which is little else than checksums, and episodes, where each array has a CRC as well
SEALED = [pytest.param(name, marks=() if name == METRICS else (pytest.mark.nightly,))
          for name in FILES if name not in ("manifest.json", FILES[-1])]  # fmt: skip


@pytest.mark.parametrize("name", SEALED)
def test_without_checksums_damage_passes(
    run: Path, tmp_path: Path, caught: Callable[..., None], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """The mutant: what catches a changed number is its SHA-256 and nothing else."""
    without_checksums(monkeypatch)
    good = (run / name.format(newest=f"{EPOCHS:06d}")).read_bytes()
    # settings are words and bounded numbers: few flips there pass for others
    flips = 300 if name == "config.toml" else 30
    number, silent, *_ = tried(run, tmp_path, name, damages(good, flips, 0, random.Random(3)), check=name != METRICS)
    what = name.format(newest="newest")
    assert silent > 0
    caught(11, f"no SHA-256 of {what}: {silent} of {number} flipped bits silently accepted")


@pytest.mark.nightly
@pytest.mark.parametrize("name", [name for name in FILES if name.startswith("checkpoints") or name == METRICS])
def test_without_checksums_cuts_pass(
    run: Path, tmp_path: Path, caught: Callable[..., None], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    without_checksums(monkeypatch)
    good = (run / name.format(newest=f"{EPOCHS:06d}")).read_bytes()
    pieces = (good[:length] for length in np.linspace(0, len(good) - 1, 20).astype(int))
    number, silent, *_ = tried(run, tmp_path, name, pieces, check=name != METRICS)
    assert silent > 0
    caught(10, f"no SHA-256 of {name.format(newest='newest')}: {silent} of {number} cuts silently accepted")


def test_a_cut_checkpoint_falls_back_and_says_so(run: Path, tmp_path: Path) -> None:
    from mmrl.runs import checkpoint

    folder = shutil.copytree(run, tmp_path / "run")
    path = folder / "checkpoints" / f"{EPOCHS:06d}.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    epoch, _, faults = checkpoint.load(folder)
    assert epoch == EPOCHS - 1 and "000006.safetensors does not match" in faults[0]
    history = History(folder / "metrics.jsonl")
    assert history.go_back(epoch, metrics_checksum(folder, epoch)) is None
    assert [row["epoch"] for row in read_metrics(folder / "metrics.jsonl")] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("epochs", [1, EPOCHS])
def test_without_its_manifests_a_run_is_not_begun_anew(nursery: Nursery, tmp_path: Path, epochs: int) -> None:
    arguments = ["train", *TINY, "--results", str(tmp_path)]
    child = nursery.mmrl(tmp_path, *arguments, "-ne", str(epochs), "--name", "run")
    assert child.wait() == 0, child.text()
    folder = tmp_path / "run"
    for path in folder.glob("manifest*.json"):
        if epochs > 1 or path.name == "manifest.json":  # the one before the first epoch names no checkpoint
            path.unlink()
    before = {path: path.read_bytes() for path in folder.rglob("*.*") if path.is_file() and path.name != "status.json"}
    child = nursery.mmrl(tmp_path, "train", "--load", "run", "-ne", "9", "--results", str(tmp_path))
    assert child.wait() == 1 and "manifest.json is missing" in child.text(), child.text()
    assert {"manifest.json": "damaged"}.items() <= {one.file: one.kind for one in examine(folder)}.items()
    del before[folder / "config.toml"]  # holds the new target
    assert before == {path: path.read_bytes() for path in before}


def test_doctor_repairs_without_deleting(run: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(run, tmp_path / "run")
    before = {path for path in folder.rglob("*")}
    (folder / "manifest.json").write_text("{")
    with (folder / "metrics.jsonl").open("ab") as file:
        file.write(b'{"epoch": 7, "val')
    (folder / "status.json").write_text("[]")
    kinds = {one.file: one.kind for one in examine(folder)}
    assert kinds["manifest.json"] == kinds["status.json"] == "repaired" and kinds["metrics.jsonl"] in (
        "repaired",
        "damaged",
    )
    assert before <= set(folder.rglob("*"))
    assert not [one for one in examine(folder) if one.file in ("manifest.json", "status.json")]
    assert any(path.name.startswith("manifest.json.damaged-") for path in folder.iterdir())
