"""Long runs: no growth, nothing left open or lying about, and old metrics load at once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from mmrl.runs.history import read_metrics
from tests.faults.harness import ROOT, TINY, Nursery, newest, wait_until


def test_ten_thousand_epochs_load(tmp_path: Path, figure: Callable[..., None]) -> None:
    row = (ROOT / "tests/data/runs/v1/metrics.jsonl").read_bytes().splitlines(keepends=True)[0]
    (tmp_path / "many.jsonl").write_bytes(row * 10_000)
    spans = []
    for _ in range(3):
        began = time.process_time()
        assert len(read_metrics(tmp_path / "many.jsonl")) == 10_000
        spans.append(time.process_time() - began)
    assert min(spans) < 0.5
    figure(22, "CPU seconds to load the metrics of 10 000 epochs", f"{min(spans):.2f}", "< 0.5")


def grown(nursery: Nursery, place: Path, epochs: int, mutant: str = "") -> tuple[float, float, int, int, int]:
    """Megabytes at a tenth of so many epochs and at their end, open files at both, temporary files left."""
    place.mkdir()
    run = place / "run"
    arguments = [*TINY, "-ne", "1000000", "-pa", "10", "--results", str(place), "--name", "run"]
    child = nursery.mmrl(place, "train", *arguments, mutant=mutant)

    def facts(expected: int = 0) -> tuple[float, int]:
        pages = int(Path(f"/proc/{child.pid}/statm").read_text().split()[1])
        least = 1_000_000  # a file is open for a moment when it is written: the least of some looks is what stays open
        for look in range(500):
            least = min(least, len(os.listdir(f"/proc/{child.pid}/fd")))
            if look >= 20 and least <= expected:
                break
            time.sleep(0.002)
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, least

    wait_until(lambda: newest(run) >= epochs // 10 or child.poll() is not None, 3000, 0.02)
    first, files = facts()
    wait_until(lambda: newest(run) >= epochs or child.poll() is not None, 3000, 0.02)
    last, still = facts(files)
    child.signal(signal.SIGINT)
    assert child.wait() == 130, child.text()
    return first, last, files, still, len(list(run.rglob(".*.tmp")))


def test_no_growth(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None], caught: Callable[..., None], complete: bool
) -> None:
    epochs = 5000 if complete else 30
    first, last, files, still, left = grown(nursery, tmp_path / "good", epochs)
    assert (still, left) == (files, 0)
    if complete:  # before, memory is what the first epochs take
        growth = 100 * (last / first - 1)
        assert growth < 5, (first, last)
        figure(22, f"{epochs} epochs: MB at a tenth, at the end, growth",
               f"{first:.0f}, {last:.0f}, {growth:.1f} %", "< 5 %")  # fmt: skip
    figure(22, f"{epochs} epochs: open files at a tenth and at the end; temporary files left",
           f"{files}, {still}; {left}", "equal; 0")  # fmt: skip


@pytest.mark.nightly
def test_a_leak_is_caught(nursery: Nursery, tmp_path: Path, caught: Callable[..., None]) -> None:
    first, last, files, still, left = grown(nursery, tmp_path / "mutant", 300, "leaking")
    growth = 100 * (last / first - 1)
    assert growth > 5 and still > files + 100 and left > 100
    caught(
        22, f"a megabyte and a file of each of 300 epochs kept: {growth:.0f} % more, {still - files} open, {left} left"
    )
