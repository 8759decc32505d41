"""Long runs and their readers: no growth, no gaps, no errors, and old metrics load at once."""

from __future__ import annotations

import json
import os
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
    figure("22", "CPU seconds to load the metrics of 10 000 epochs", f"{min(spans):.2f}")


def test_readers_while_it_is_written(
    nursery: Nursery, tmp_path: Path, figure: Callable[..., None], complete: bool
) -> None:
    epochs = int(os.environ.get("MMRL_READ_EPOCHS", "10000")) if complete else 40
    arguments = [*TINY, "-ne", str(epochs), "-pa", "5", "--results"]
    took = {}
    for readers in (0, 4) if complete else (4,):
        place = tmp_path / str(readers)
        place.mkdir()
        child = nursery.mmrl(tmp_path, "train", *arguments, str(place), "--name", "run")
        wait_until(lambda p=place: newest(p / "run") > 0)
        began = time.monotonic()
        watching = [nursery.start(tmp_path, "watch", folder=str(place / "run")) for _ in range(readers)]
        assert child.wait(3000) == 0, child.text()
        took[readers] = time.monotonic() - began
        assert [watcher.wait() for watcher in watching] == [0] * readers, [watcher.text() for watcher in watching]
    reads = sum(json.loads(watcher.text())["reads"] for watcher in watching)
    figure("14", f"4 readers at 10 ms over {epochs} epochs: reads, errors and gaps", f"{reads}, 0")
    if complete:
        slower = 100 * (took[4] / took[0] - 1)
        figure("14", "training slowed by 4 readers on a machine of 2 cores", f"{slower:.0f} %")


@pytest.mark.slow_fault
def test_no_growth(nursery: Nursery, tmp_path: Path, figure: Callable[..., None]) -> None:
    epochs = int(os.environ.get("MMRL_EPOCHS", "5000"))
    run = tmp_path / "run"
    arguments = [*TINY, "-ne", str(epochs), "-pa", "10", "--results", str(tmp_path), "--name", "run"]
    child = nursery.mmrl(tmp_path, "train", *arguments)

    def facts() -> tuple[float, int]:
        pages = int(Path(f"/proc/{child.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20, len(os.listdir(f"/proc/{child.pid}/fd"))

    wait_until(lambda: newest(run) >= epochs // 10 or child.poll() is not None, 3000, 0.05)
    first, files = facts()
    wait_until(lambda: newest(run) >= epochs - 20 or child.poll() is not None, 3000, 0.05)
    last, still = facts()
    assert child.wait() == 0, child.text()
    growth = 100 * (last / first - 1)
    assert growth < 5 and abs(still - files) <= 2, (first, last, files, still)
    assert not list(run.rglob(".*.tmp"))
    figure("22", f"{epochs} epochs: MB at a tenth, at the end, growth", f"{first:.0f}, {last:.0f}, {growth:.1f} %")
    figure("22", f"{epochs} epochs: open files, temporary files left", f"{files} to {still}, 0")
