"""Names and files of a stranger: refused at once, in little memory; nothing runs, nothing is written elsewhere."""

from __future__ import annotations

import ast
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

from mmrl.runs.manifest import FutureRun, read_manifest, sound_manifest, write_manifest
from mmrl.runs.sealed import sha256
from tests.faults.harness import ROOT, TINY, Nursery

NAMES = ["../x", "a/../../b", "/etc/x", "..", "", "a\n", "a" * 300, "~root", "é", "٣", "a\u202eb", "a.", "[red]x[/red]",
         "\x1b[31mx", "a b", "-rf"]  # fmt: skip
EPOCHS = 2


@pytest.fixture(scope="module")
def good(nursery: Nursery, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("good")
    arguments = [*TINY, "-ne", str(EPOCHS), "-pa", "1", "--results", str(place), "--name", "run"]
    child = nursery.mmrl(place, "train", *arguments)
    assert child.wait() == 0, child.text()
    return place / "run"


def cost(out: Path) -> dict[str, float]:
    return json.loads(Path(f"{out}.cost").read_text())  # type: ignore[no-any-return]


def test_names(nursery: Nursery, good: Path, tmp_path: Path, figure: Callable[..., None], complete: bool) -> None:
    results, logs = tmp_path / "deep" / "results", tmp_path / "logs"
    logs.mkdir()
    shutil.copytree(good, results / "run")
    (tmp_path / "outside").mkdir()
    (results / "link").symlink_to(tmp_path / "outside")
    before = sorted(tmp_path.rglob("*"))
    tried, slowest = 0, 0.0
    for name in [*(NAMES if complete else NAMES[::4]), "link"]:
        for command in (["train", *TINY, "-ne", "1", f"--name={name}"], ["runs", "rename", "--", "run", name],
                        ["runs", "trash", "--", name], ["runs", "promote", "--", name], ["runs", "show", "--", name],
                        ["train", f"--load={name}"]):  # fmt: skip
            if command[0] == "train" and name == "":
                continue  # no name given: one is made
            at = command.index("--") if "--" in command else len(command)
            child = nursery.mmrl(logs, *command[:at], "--results", str(results), *command[at:])
            assert child.wait() in (2, 3), (command, child.text())
            assert child.text().isprintable() or "\x1b" not in child.text(), child.text()
            tried += 1
            slowest = max(slowest, cost(child.out)["seconds"])
    assert [path for path in sorted(tmp_path.rglob("*")) if logs not in path.parents] == [p for p in before]
    assert slowest < 2
    figure("15", "hostile names with six commands: tried, escapes, most seconds", f"{tried}, 0, {slowest:.2f}")


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
STEM = f"{EPOCHS:06d}"
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


SHORT = ("pickle as tensors", "metrics of 1 GB", "episode of objects", "escapes in status", "link as checkpoints",
         "link as lock", "pipe as status")  # fmt: skip


@pytest.mark.parametrize(
    "what", [pytest.param(what, marks=[] if what in SHORT else [pytest.mark.slow_fault]) for what in FILES]
)
def test_files(
    nursery: Nursery, good: Path, tmp_path: Path, figure: Callable[..., None], what: str, complete: bool
) -> None:
    results, logs = tmp_path / "results", tmp_path / "logs"
    logs.mkdir()
    worst: dict[str, float] = {"seconds": 0.0, "megabytes": 0.0}
    refused = 0
    for command in COMMANDS if complete else [COMMANDS[0], COMMANDS[3], COMMANDS[-1]]:
        shutil.rmtree(results, ignore_errors=True)
        shutil.copytree(good, results / "run")
        (results / "victim").mkdir()
        (results / "victim" / "precious.txt").write_text("precious")
        FILES[what](results / "run")
        child = nursery.mmrl(logs, *command, "--results", str(results))
        assert child.wait(30) in (0, 1, 2, 3), (command, child.code, child.text())
        refused += child.code != 0
        text = child.text()
        assert "Traceback" not in text and "\x1b[31m" not in text and "\x1b]0" not in text, (command, text)
        assert [path.name for path in (results / "victim").iterdir()] == ["precious.txt"], command
        assert (results / "victim" / "precious.txt").read_text() == "precious", command
        assert not list(tmp_path.rglob(CANARY)) and not (ROOT / CANARY).exists()
        spent = cost(child.out)
        assert spent["megabytes"] < 300, (command, spent)
        if child.code:
            worst = {key: max(worst[key], spent[key]) for key in worst}
    assert worst["seconds"] < 3, worst  # a second on an idle machine
    figure("16", f"{what}: commands that refuse it, most s, most MB",
           f"{refused}, {worst['seconds']:.2f}, {worst['megabytes']:.0f}")  # fmt: skip


FORBIDDEN = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "yaml"}
CALLS = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "torch.load", "torch.jit.load"}


def unsafe(source: str) -> list[str]:
    """Calls and imports by which a file could run as code."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [name for name in names if name.split(".")[0] in FORBIDDEN]
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            keywords = {word.arg: ast.unparse(word.value) for word in node.keywords}
            if name in (
                "eval",
                "exec",
                "compile",
                "__import__",
                "os.system",
                "os.popen",
                "torch.load",
                "torch.jit.load",
            ):
                found.append(name)
            if keywords.get("shell") == "True" or keywords.get("allow_pickle") == "True":
                found.append(name)
            if name.endswith(("np.load", "numpy.load")) and keywords.get("allow_pickle") != "False":
                found.append(name)
    return found


def test_nothing_that_could_run_a_file(figure: Callable[..., None]) -> None:
    files = [ROOT / "cli.py", *(p for place in ("mmrl", "tui") for p in sorted((ROOT / place).rglob("*.py")))]
    hits = [f"{path.name}: {name}" for path in files for name in unsafe(path.read_text())]
    assert hits == []
    mutants = ["import pickle", "from yaml import load", "eval('1')", "torch.load(p)", "np.load(p)",
               "subprocess.run(x, shell=True)", "os.system('x')"]  # fmt: skip
    assert all(unsafe(mutant) for mutant in mutants)
    figure("17", "sources searched for pickle, eval, exec, shell, torch.load: hits", f"{len(files)}: 0")


VERSIONS = sorted((ROOT / "tests" / "data" / "runs").glob("v*"))


@pytest.mark.parametrize("version", VERSIONS, ids=lambda path: path.name)
def test_runs_of_every_version(nursery: Nursery, tmp_path: Path, figure: Callable[..., None], version: Path) -> None:
    from mmrl.runs import store
    from mmrl.runs.history import read_metrics

    shutil.copytree(version, tmp_path / "run")
    rows = read_metrics(version / "metrics.jsonl")
    assert store.find_run("run", tmp_path).state == "finished" and len(rows) == rows[-1]["epoch"] > 1
    for command in (["runs", "doctor", "run"], ["plot", "run"], ["train", "--load", "run", "--expand", "1"]):
        child = nursery.mmrl(tmp_path, *command, "--results", str(tmp_path))
        assert child.wait() == 0, child.text()
    [name] = [info.name for info in store.find_runs(tmp_path)]
    after = read_metrics(tmp_path / name / "metrics.jsonl")
    assert after[:-1] == rows and after[-1]["epoch"] == len(rows) + 1
    figure("18", f"run of schema {version.name}: read, drawn, gone on with", "yes")


def test_runs_of_the_future_and_unknown_keys(nursery: Nursery, tmp_path: Path, figure: Callable[..., None]) -> None:
    shutil.copytree(VERSIONS[-1], tmp_path / "run")
    manifest = sound_manifest(tmp_path / "run")[0]
    write_manifest(tmp_path / "run", {**manifest, "schema": 99})
    with pytest.raises(FutureRun, match=r"schema 99.*up to 1"):
        read_manifest(tmp_path / "run")
    child = nursery.mmrl(tmp_path, "train", "--load", "run", "--expand", "1", "--results", str(tmp_path))
    assert child.wait() == 1 and "schema 99" in child.text() and "up to 1" in child.text(), child.text()
    assert read_manifest.__module__ and len(list(tmp_path.glob("*/metrics.jsonl"))) == 1
    shutil.rmtree(tmp_path / "run", ignore_errors=True)
    folder = next(iter(tmp_path.glob("*/metrics.jsonl")), tmp_path / "run" / "x").parent
    if not folder.exists():
        folder = Path(shutil.copytree(VERSIONS[-1], tmp_path / "run"))
    text = (folder / "config.toml").read_text().split("\n", 1)[1].rsplit("# sha256", 1)[0]
    (folder / "config.toml").write_text(text.replace("[market]\n", "[market]\nunheard_of = 1\n"))
    child = nursery.mmrl(tmp_path, "train", "--load", folder.name, "--results", str(tmp_path))
    assert child.wait() == 2 and "unheard_of" in child.text(), child.text()
    figure("18", "a run of the future, an unknown key: refused, both versions named", "2/2")
