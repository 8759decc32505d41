"""Hostile names of runs: refused in one line with every command, and nothing is read or written elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from tests.faults.harness import TINY, Nursery

NAMES = ["../x", "CON", "a\n", "/etc/x", "..", "", "a" * 300, "~root", "é", "٣", "a\u202eb", "a.", "[red]x[/red]",
         "\x1b[31mx", "a b", "-rf", "a/../../b", "a\0b", "nul", "aux.toml", "a...", "link"]  # fmt: skip
COMMANDS = {
    "train": lambda name: ["train", *TINY, "-ne", "1", f"--name={name}"],
    "load": lambda name: ["train", f"--load={name}"],
    "rename": lambda name: ["runs", "rename", "run", "--", name],
    "trash": lambda name: ["runs", "trash", "--", name],
    "promote": lambda name: ["runs", "promote", "--", name],
    "show": lambda name: ["runs", "show", "--", name],
}


def harm(nursery: Nursery, good: Path, place: Path, names: list[str], mutant: str = "") -> tuple[int, list[str], float]:
    """How many commands were tried, which were not refused or changed a file anywhere, and the most seconds."""
    logs, world = place / "logs", place / "world"
    logs.mkdir(parents=True)
    results = world / "deep" / "results"
    tried, wrong, slowest = 0, [], 0.0

    def made() -> list[Path]:
        shutil.rmtree(world, ignore_errors=True)
        shutil.copytree(good, results / "run")
        (world / "outside").mkdir()
        shutil.copytree(good, world / "outside" / "run")
        (results / "link").symlink_to(world / "outside" / "run")
        return sorted(world.rglob("*"))

    before = made()
    for name in names:
        for what, command in COMMANDS.items():
            if what == "train" and name == "":
                continue  # no name given: one is made
            words = command(name)
            at = words.index("--") if "--" in words else len(words)
            child = nursery.mmrl(logs, *words[:at], "--results", str(results), *words[at:], mutant=mutant)
            code, text = child.wait(), child.text()
            tried, slowest = tried + 1, max(slowest, child.cost()["seconds"])
            refused = code in (2, 3) and "\x1b" not in text and "Traceback" not in text
            if not refused or sorted(world.rglob("*")) != before:
                wrong.append(f"{what} {name!r}: {code} {text[-300:]}")
                before = made()
    return tried, wrong, slowest


def test_names(
    nursery: Nursery,
    good: Path,
    tmp_path: Path,
    figure: Callable[..., None],
    caught: Callable[..., None],
    complete: bool,
) -> None:
    tried, wrong, slowest = harm(nursery, good, tmp_path / "good", NAMES if complete else [*NAMES[:2], "link"])
    assert not wrong
    assert slowest < 2  # a second on an idle machine
    figure(15, "hostile names with six commands: tried; not refused, files touched; most seconds",
           f"{tried}; 0; {slowest:.2f}", "0; < 1 s")  # fmt: skip
    if complete:
        _, wrong, _ = harm(nursery, good, tmp_path / "mutant", ["../x", "link"], "any_name")
        assert len(wrong) > 2
        caught(15, f"names joined as they come: {len(wrong)} of 12 commands went through")


def test_names_that_differ_only_by_case(
    nursery: Nursery, good: Path, tmp_path: Path, figure: Callable[..., None]
) -> None:
    for name in ("Mine", "other"):
        shutil.copytree(good, tmp_path / "results" / name)
    (tmp_path / "good-results" / "Other").mkdir(parents=True)
    for words, other in (
        (["train", *TINY, "-ne", "1", "--name=mINE"], "--load Mine"),
        (["runs", "rename", "other", "MINE"], "by Mine"),
        (["runs", "promote", "other"], "good-results/Other"),
    ):
        child = nursery.mmrl(tmp_path, *words, "--results", str(tmp_path / "results"))
        assert child.wait() == 2 and other in child.text(), child.text()
    assert sorted(path.name for path in (tmp_path / "results").iterdir()) == ["Mine", "other"]
    figure(15, "a name taken in another case: refused, the other named", "3/3", "3/3")
