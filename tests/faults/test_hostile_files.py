"""Hostile files of a stranger: refused at once, in little memory; nothing runs, nothing is written elsewhere."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mmrl.runs.checksum import sha256
from mmrl.runs.manifest import read_manifest, write_manifest
from tests.faults.harness import ROOT, Nursery


def commit(folder: Path, tensors: bytes | None = None, tree: bytes | None = None) -> None:
    """Replace files of the newest checkpoint, with honest digests."""
    manifest = read_manifest(folder)
    entry = manifest["checkpoints"][-1]
    for suffix, data in (("safetensors", tensors), ("json", tree)):
        if data is not None:
            name = f"{entry['epoch']:06d}.{suffix}"
            (folder / "checkpoints" / name).write_bytes(data)
            entry["files"][name] = sha256(data)
    manifest["checkpoints"] = [entry]
    write_manifest(folder, manifest)
    (folder / "manifest.previous.json").unlink(missing_ok=True)


def safetensors(header: dict[str, object], body: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def sparse(path: Path) -> None:
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(2**30)


def instead(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("x.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (2**26,)})
        for _ in range(512):
            member.write(bytes(2**20))
    return out.getvalue()


def lying_shape() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive, archive.open("x.npy", "w") as member:
        np.lib.format.write_array_header_1_0(member, {"descr": "<f8", "fortran_order": False, "shape": (2**40,)})
    return out.getvalue()


CANARY = "canary"


class Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (CANARY,)


def pickled() -> bytes:
    import pickle

    return pickle.dumps(Evil())


def objects() -> bytes:
    out = io.BytesIO()
    np.savez(out, evil=np.array([Evil()], dtype=object))
    return out.getvalue()


ESCAPES = '{"state": "\\u001b[31mred", "error": "[red]\\u001b]0;x\\u0007"}'
STEM = "000002"
NPZ = f"episodes/{STEM}.npz"
FILES: dict[str, Callable[[Path], object]] = {
    "pickle as tensors": lambda f: commit(f, pickled()),
    "header of 2^40 bytes": lambda f: commit(f, struct.pack("<Q", 2**40) + b"{}"),
    "overlapping tensors": lambda f: commit(f, safetensors(
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
         "b": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, bytes(4))),
    "no tensors": lambda f: commit(f, safetensors({})),
    "tree 10^6 deep": lambda f: commit(f, tree=b"[" * 10**6),
    "tree is a number": lambda f: commit(f, tree=b"7"),
    "tensors of 1 GB": lambda f: sparse(f / "checkpoints" / f"{STEM}.safetensors"),
    "manifest of 1 GB": lambda f: sparse(f / "manifest.json"),
    "metrics of 1 GB": lambda f: sparse(f / "metrics.jsonl"),
    "config of 1 GB": lambda f: sparse(f / "config.toml"),
    "status of 1 GB": lambda f: sparse(f / "status.json"),
    "episode of 1 GB": lambda f: sparse(f / NPZ),
    "episode that unpacks to 512 MB": lambda f: (f / NPZ).write_bytes(bomb()),
    "episode that claims 8 TB": lambda f: (f / NPZ).write_bytes(lying_shape()),
    "episode of objects": lambda f: (f / NPZ).write_bytes(objects()),
    "status 10^6 deep": lambda f: (f / "status.json").write_bytes(b'{"state":' + b"[" * 10**6),
    "metrics 10^6 deep": lambda f: (f / "metrics.jsonl").write_bytes(b'{"epoch":' + b"[" * 10**6 + b"\n"),
    "NaN and huge numbers": lambda f: (f / "metrics.jsonl").write_bytes(b'{"epoch": NaN, "value_mean": 1e999}\n'),
    "escapes in status": lambda f: (f / "status.json").write_text(ESCAPES),
    "escapes in config": lambda f: (f / "config.toml").write_text('[market]\nname = "\\u001b[31mred"\n'),
    "link as config": lambda f: instead(f / "config.toml", "/etc/passwd"),
    "link as metrics": lambda f: instead(f / "metrics.jsonl", "/etc/passwd"),
    "link as status": lambda f: instead(f / "status.json", "/etc/passwd"),
    "link as manifest": lambda f: instead(f / "manifest.json", "/etc/passwd"),
    "link as episode": lambda f: instead(f / NPZ, "/etc/passwd"),
    "link as tensors": lambda f: instead(f / "checkpoints" / f"{STEM}.safetensors", "/etc/passwd"),
    "link as checkpoints": lambda f: (shutil.rmtree(f / "checkpoints"), (f / "checkpoints").symlink_to("../victim")),
    "link as episodes": lambda f: (shutil.rmtree(f / "episodes"), (f / "episodes").symlink_to("../victim")),
    "link as lock": lambda f: instead(f / "lock", "../victim/precious.txt"),
    "pipe as status": lambda f: pipe(f / "status.json"),
    "pipe as metrics": lambda f: pipe(f / "metrics.jsonl"),
    "pipe as config": lambda f: pipe(f / "config.toml"),
    "pipe as control": lambda f: os.mkfifo(f / "control.json"),
    "pipe as episode": lambda f: pipe(f / NPZ),
    "device as lock": lambda f: instead(f / "lock", "/dev/null"),
}  # fmt: skip
COMMANDS = (["runs", "list"], ["runs", "show", "run"], ["plot", "run"], ["plot", "run", "--what", "episode"],
            ["runs", "doctor", "run"], ["runs", "promote", "run"], ["train", "--load", "run"],
            ["train", "--load", "run", "--expand", "1"])  # fmt: skip


SHORT = ("pickle as tensors", "metrics of 1 GB", "episode of objects", "escapes in status", "link as lock")


def harm(
    nursery: Nursery, good: Path, place: Path, what: str, commands: tuple[list[str], ...], mutant: str = ""
) -> tuple[int, dict[str, float], list[str]]:
    """How many commands refused a run with such a file, the most seconds and MB of these, and what went wrong."""
    results, logs = place / "results", place / "logs"
    logs.mkdir(parents=True)
    worst, refused, wrong = {"seconds": 0.0, "megabytes": 0.0}, 0, []
    for command in commands:
        shutil.rmtree(results, ignore_errors=True)
        shutil.copytree(good, results / "run")
        (results / "victim").mkdir()
        (results / "victim" / "precious.txt").write_text("precious")
        FILES[what](results / "run")
        child = nursery.mmrl(logs, *command, "--results", str(results), mutant=mutant)
        code, text = child.wait(30), child.text()
        spent = child.cost()
        victims = {path.name: path.read_text(errors="replace") for path in (results / "victim").iterdir()}
        canaries = [path for root in (ROOT / CANARY, results / CANARY) for path in [root] if path.exists()]
        for canary in canaries:
            canary.rmdir()
        complaints = {
            "exit code": code not in (0, 1, 2, 3),
            "traceback": "Traceback" in text,
            "escapes on the terminal": "\x1b[31m" in text or "\x1b]0" in text,
            "a file elsewhere written": victims != {"precious.txt": "precious"},
            "code of the file run": bool(canaries),
            "300 MB": spent["megabytes"] >= 300,
        }
        wrong += [f"{' '.join(command)}: {name}" for name, there in complaints.items() if there]
        refused += code != 0
        if code:
            worst = {key: max(worst[key], spent[key]) for key in worst}
    return refused, worst, wrong


@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=[] if what in SHORT else [pytest.mark.nightly]) for what in FILES]
)
def test_files(
    nursery: Nursery, good: Path, tmp_path: Path, figure: Callable[..., None], what: str, complete: bool
) -> None:
    commands = COMMANDS if complete else (COMMANDS[0], COMMANDS[3], COMMANDS[-1])
    refused, worst, wrong = harm(nursery, good, tmp_path, what, commands)
    assert not wrong
    assert worst["seconds"] < 3, worst  # a second on an idle machine
    figure(16, f"{what}: commands of {len(commands)} that refuse it; most s, MB; harm",
           f"{refused}; {worst['seconds']:.2f}, {worst['megabytes']:.0f}; 0", "< 1 s, 300 MB; 0")  # fmt: skip


MUTANTS = {
    "pickles_loaded": ("episode of objects", ["plot", "run", "--what", "episode"], "code of the file run"),
    "no_size_limit": ("metrics of 1 GB", ["plot", "run"], "300 MB"),
    "any_state": ("escapes in status", ["runs", "pause", "run"], "escapes on the terminal"),
    "links_followed": ("link as lock", ["train", "--load", "run"], "a file elsewhere written"),
}


@pytest.mark.parametrize(
    "mutant",
    ["any_state", *(pytest.param(name, marks=pytest.mark.nightly) for name in MUTANTS if name != "any_state")],
)
def test_trust_is_caught(
    nursery: Nursery, good: Path, tmp_path: Path, caught: Callable[..., None], mutant: str
) -> None:
    what, command, complaint = MUTANTS[mutant]
    _, _, wrong = harm(nursery, good, tmp_path, what, (command,), mutant)
    assert f"{' '.join(command)}: {complaint}" in wrong
    caught(16, f"{mutant.replace('_', ' ')}, {what}: {complaint}")
