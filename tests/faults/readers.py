"""What looks at a run while it is written: the list, the terminal UI, the plots; each complains of what cannot be."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

INTERVAL = 0.01
ORDER = ("", "starting", "running", "finished")  # states only move on


def watch(folder: Path, reader: str) -> int:
    """Look every 10 ms until the run is finished; sleeps while a file `quiet` lies beside it."""
    look, reads, last, state, looked = READERS[reader](folder), 0, 0, "", 0.0
    quiet, busy = folder.parent / "quiet", folder.parent / "busy"
    spent = 0.0
    while state != "finished":
        began = time.monotonic()
        if quiet.exists() and began - looked < 1.0:  # still awake enough to see the end
            time.sleep(INTERVAL)
            continue
        looked, before = began, time.process_time()
        epoch, now = look()
        spent += time.process_time() - before
        assert epoch >= last, f"epoch {epoch} after {last}"
        assert ORDER.index(now) >= ORDER.index(state), f"{now} after {state}"
        last, state, reads = epoch, now, reads + 1
        if not busy.exists():
            time.sleep(max(INTERVAL - (time.monotonic() - began), 0.001))
    print(json.dumps({"reads": reads, "epoch": last, "milliseconds": 1000 * spent / reads}))
    return 0


def list_reader(folder: Path) -> Callable[[], tuple[int, str]]:
    """`mmrl runs list --json`."""
    from mmrl.commands.runs_table import as_row
    from mmrl.runs.listing import find_runs

    def look() -> tuple[int, str]:
        [row] = json.loads(json.dumps([as_row(info) for info in find_runs(folder.parent)]))
        assert row["id"] and row["updated"], row
        return row["epoch"], row["state"]

    return look


def screen_reader(folder: Path) -> Callable[[], tuple[int, str]]:
    """What `mmrl tui` looks at for its table and its charts."""
    from tui.run_index import RunIndex
    from tui.watch import Metrics

    index, metrics = RunIndex(folder.parent), Metrics(folder / "metrics.jsonl")

    def look() -> tuple[int, str]:
        index.poll()
        metrics.poll()
        epochs = metrics.column("epoch")
        gaps = [int(k) for k in range(max(1, len(epochs) - 50), len(epochs)) if epochs[k] != epochs[k - 1] + 1]
        assert not gaps and (not len(epochs) or epochs[0] == 1), gaps
        [entry] = index.entries.values()
        return len(epochs), entry.info.state

    return look


def plot_reader(folder: Path) -> Callable[[], tuple[int, str]]:
    """`mmrl plot` and `mmrl plot --what episode`: all of it, each time."""
    from mmrl.runs.episodes import latest_episode
    from mmrl.runs.history import read_metrics
    from mmrl.runs.status import read_status

    def look() -> tuple[int, str]:
        state = read_status(folder)["state"]
        epochs = [row["epoch"] for row in read_metrics(folder / "metrics.jsonl")]
        assert epochs == list(range(1, len(epochs) + 1)), epochs
        latest_episode(folder)
        return len(epochs), state

    return look


READERS = {"list": list_reader, "screen": screen_reader, "plot": plot_reader}
