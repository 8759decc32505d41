"""What the terminal UI costs, in a real pseudo-terminal: first paint, live charts, a list of 1 000 runs, and how it
answers while a training keeps all cores busy.

PYTHONPATH=. python benchmarks/tui_cost.py [paint] [charts] [table] [busy]

CPU is that of the UI's process, so that other work on the machine changes the figures little. A stall is the
longest time that the event loop was busy with one thing: in CPU time, and on the clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
TICKS = os.sysconf("SC_CLK_TCK")
POINTS, RATE, RUNS, SECONDS = 20_000, 4, 1_000, 12


class Screen:
    """A process on a pseudo-terminal; what it prints is read and thrown away."""

    def __init__(self, command: list[str], columns: int, rows: int, home: Path) -> None:
        self.begun = time.perf_counter()
        ours, theirs = pty.openpty()
        self.reports, their_reports = os.pipe()
        os.set_blocking(self.reports, False)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        environment = {**os.environ, "TERM": "xterm-256color", "XDG_CONFIG_HOME": str(home), "COLORTERM": "truecolor"}
        environment["MMRL_BENCHMARK_REPORTS"] = str(their_reports)
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment,
            cwd=home,
            start_new_session=True,
            pass_fds=[their_reports],
        )
        os.close(theirs)
        os.close(their_reports)
        self.terminal, self.seen, self.bytes = ours, b"", 0
        self._facts: dict[str, float] = {}

    def read(self, seconds: float) -> bool:
        """Take in what comes within some seconds; False at the end of the process."""
        deadline = time.perf_counter() + seconds
        while True:
            left = deadline - time.perf_counter()
            if left <= 0:
                return True
            if not select.select([self.terminal], [], [], left)[0]:
                return True
            try:
                data = os.read(self.terminal, 1 << 16)
            except OSError:
                return False
            self.bytes += len(data)
            self.seen = (self.seen + data)[-200_000:]

    def wait(self, wanted: Callable[[Self], bool], seconds: float = 60) -> tuple[float, float]:
        """Wall and CPU seconds since the start when something is true; raises TimeoutError."""
        while not wanted(self):
            if time.perf_counter() - self.begun > seconds or not self.read(0.01):
                raise TimeoutError(self.seen[-2_000:].decode("utf-8", "replace"))
        return time.perf_counter() - self.begun, self.cpu()

    def facts(self) -> dict[str, float]:
        """What the watched UI said last."""
        with contextlib.suppress(BlockingIOError):
            while said := os.read(self.reports, 1 << 16):
                self._facts = json.loads(said.splitlines()[-1])
        return self._facts

    def forget(self) -> None:
        """Let the watched UI count from now on."""
        self.process.send_signal(signal.SIGUSR1)

    def cpu(self) -> float:
        """CPU seconds of the process so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        os.close(self.terminal)
        os.close(self.reports)


@contextlib.contextmanager
def opened(command: list[str], home: Path, columns: int = 120, rows: int = 36) -> Iterator[Screen]:
    """A process on a pseudo-terminal for the length of a with block."""
    screen = Screen(command, columns, rows, home)
    try:
        yield screen
    finally:
        screen.close()


def make_run(folder: Path, state: str, epochs: int, metrics: bytes | Path) -> None:
    """A run as training leaves it; its metrics may be a hard link to those of another."""
    from mmrl.settings.sources import dump_toml, resolve

    folder.mkdir(parents=True)
    config, origins = resolve({"training.ne": max(epochs, 1)})
    (folder / "config.toml").write_text(dump_toml(config, origins, {"id": f"id-{folder.name}"}))
    now = time.time()
    facts = {"state": state, "pid": 1, "epoch": epochs, "target": epochs, "started": now - 60, "updated": now}
    (folder / "status.json").write_text(json.dumps(facts))
    (folder / "lock").touch()
    if isinstance(metrics, Path):
        os.link(metrics, folder / "metrics.jsonl")
    else:
        (folder / "metrics.jsonl").write_bytes(metrics)


def lines(first: int, count: int) -> bytes:
    """Records of some epochs, with all that training writes into them."""
    shipped = (ROOT / "good-results" / "quickstart" / "metrics.jsonl").read_text().splitlines()
    record: dict[str, Any] = json.loads(shipped[-1])
    noise = np.random.default_rng(first).normal(size=(count, 4))
    found = []
    for row, epoch in enumerate(range(first, first + count)):
        record["epoch"] = epoch
        for column, name in enumerate(("reward_mean", "inventory_mean", "spread_mean", "value_mean")):
            record[name] = 100 * (1 - float(np.exp(-epoch / 5_000))) + 5 * float(noise[row, column])
        found.append(json.dumps(record, separators=(",", ":")).encode() + b"\n")
    return b"".join(found)


def inside(results: str, opened_run: str) -> None:
    """The UI itself with a watch on its event loop; runs in the pseudo-terminal."""
    from tui.app import MmrlApp
    from tui.screens.run import RunScreen

    facts: dict[str, float] = {}
    signal.signal(signal.SIGUSR1, lambda *_: facts.clear())

    class Watched(MmrlApp):
        CSS_PATH = str(ROOT / "tui" / "app.tcss")

        def on_ready(self) -> None:
            self.tasks = [asyncio.create_task(self._beat()), asyncio.create_task(self._report())]
            if opened_run:
                self.push_screen(RunScreen(self.session, Path(opened_run)))

        async def _beat(self) -> None:
            """The longest time between two turns of the loop."""
            while True:
                last, worked = time.perf_counter(), time.thread_time()
                await asyncio.sleep(0.01)
                facts["clock"] = max(facts.get("clock", 0.0), time.perf_counter() - last - 0.01)
                facts["cpu"] = max(facts.get("cpu", 0.0), time.thread_time() - worked)

        async def _report(self) -> None:
            """Say how far the UI is."""
            while True:
                await asyncio.sleep(0.05)
                screen = self.screen
                facts["rows"] = float(len(screen.table.order) if hasattr(screen, "table") else 0)
                facts["points"] = float(screen.metrics.count if isinstance(screen, RunScreen) else 0)
                os.write(int(os.environ["MMRL_BENCHMARK_REPORTS"]), json.dumps(facts).encode() + b"\n")

    Watched(results).run()


def watched(results: Path, run: str) -> list[str]:
    """The command of the watched UI."""
    return [sys.executable, __file__, "inside", str(results), run]


def stalls(facts: dict[str, float]) -> str:
    """The longest stall in words."""
    return f"longest stall {1e3 * facts['cpu']:.0f} ms CPU ({1e3 * facts['clock']:.0f} ms on the clock)"


def first_paint(place: Path) -> None:
    """From the start of the command to the first frame with the run in it."""
    results = place / "results"
    make_run(results / "only-run", "finished", 200, lines(1, 200))
    figures = []
    for _ in range(6):
        with opened([sys.executable, str(ROOT / "cli.py"), "tui"], place) as screen:
            frame = screen.wait(lambda screen: b"FINAL VALUE" in screen.seen)
            row = screen.wait(lambda screen: b"only-run" in screen.seen)
            figures.append((*frame, *row))
    frame_wall, frame_cpu, row_wall, row_cpu = np.min(figures[1:], axis=0)  # the first one fills the caches
    print(
        f"first paint: {frame_wall:.2f} s ({frame_cpu:.2f} s CPU); with its run {row_wall:.2f} s ({row_cpu:.2f} s CPU)"
    )


def live_charts(place: Path) -> None:
    """Four charts of 20 000 points that grow 4 times a second, smoothed, at three sizes."""
    from mmrl.runs.lock import RunLock

    folder = place / "results" / "live"
    make_run(folder, "running", POINTS, lines(1, POINTS))
    (place / "mmrl").mkdir()
    (place / "mmrl" / "tui.json").write_text(json.dumps({"smoothing": 0.9}))
    epoch = POINTS
    with RunLock(folder):
        for columns, rows in ((80, 24), (120, 36), (200, 60)):
            with opened(watched(place / "results", str(folder)), place, columns, rows) as screen:
                screen.wait(lambda screen: screen.facts().get("points", 0) >= POINTS)
                loading = stalls(screen.facts())
                screen.read(2)
                screen.forget()
                before, start, sent = screen.cpu(), time.perf_counter(), screen.bytes
                for beat in range(SECONDS * RATE):
                    epoch += 1
                    with (folder / "metrics.jsonl").open("ab") as file:
                        file.write(lines(epoch, 1))
                    screen.read(start + (beat + 1) / RATE - time.perf_counter())
                share = (screen.cpu() - before) / (time.perf_counter() - start)
                print(
                    f"four charts of {POINTS} points at {RATE} Hz, {columns}x{rows}: {share:.1%} of a core, "
                    f"{stalls(screen.facts())}, {(screen.bytes - sent) / SECONDS / 1024:.0f} kB/s; loading: {loading}"
                )


def long_table(place: Path) -> None:
    """A folder of 1 000 runs: until all are shown, at rest, and with three of them in training."""
    from mmrl.runs.lock import RunLock

    results, kept = place / "results", place / "metrics"
    kept.write_bytes(lines(1, 200))
    for number in range(RUNS - 3):
        make_run(results / f"run-{number:04d}", "finished", 200, kept)
    active = [results / f"zz-live-{number}" for number in range(3)]
    for folder in active:
        make_run(folder, "running", 200, kept.read_bytes())
    with contextlib.ExitStack() as held:
        for folder in active:
            held.enter_context(RunLock(folder))
        for cold in (True, False):
            with opened(watched(results, ""), place) as screen:
                frame = screen.wait(lambda screen: b"FINAL VALUE" in screen.seen)
                full = screen.wait(lambda screen: screen.facts().get("rows", 0) >= RUNS)
                if cold:
                    continue
                print(
                    f"{RUNS} runs: frame {frame[0]:.2f} s ({frame[1]:.2f} s CPU), all rows {full[0] - frame[0]:.2f} s "
                    f"({full[1] - frame[1]:.2f} s CPU) later, {stalls(screen.facts())}"
                )
                screen.read(10)
                for what, count in (("at rest", 0), ("3 training at 4 Hz", 3)):
                    screen.forget()
                    before, start, epoch = screen.cpu(), time.perf_counter(), 200
                    for beat in range(SECONDS * RATE):
                        epoch += 1
                        for folder in active[:count]:
                            with (folder / "metrics.jsonl").open("ab") as file:
                                file.write(lines(epoch, 1))
                        screen.read(start + (beat + 1) / RATE - time.perf_counter())
                    share = (screen.cpu() - before) / (time.perf_counter() - start)
                    print(f"{RUNS} runs, {what}: {share:.1%} of a core, {stalls(screen.facts())}")


def _until(screen: Screen, key: bytes, wanted: Callable[[Screen], bool]) -> float:
    """Seconds from a key to what is wanted."""
    screen.seen, began = b"", time.perf_counter()
    os.write(screen.terminal, key)
    screen.wait(wanted, began - screen.begun + 60)
    return time.perf_counter() - began


def busy(place: Path) -> None:
    """First paint, keys and the form of a new run while a training uses all cores: median, least and most."""
    training = [sys.executable, str(ROOT / "cli.py"), "train", "--preset", "default", "-ne", "100000"]
    command = [sys.executable, str(ROOT / "cli.py"), "tui"]
    with subprocess.Popen(training, cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while not any(file.stat().st_size for file in place.glob("results/*/metrics.jsonl")):
                assert process.poll() is None, "the training has ended"
                time.sleep(0.2)
            painted, keys, forms = [], [], []
            for _ in range(6):
                with opened(command, place) as screen:
                    painted.append(screen.wait(lambda screen: b"FINAL VALUE" in screen.seen)[0])
                    screen.wait(lambda screen: b"training" in screen.seen)
                    screen.read(1)
                    for _ in range(5):  # the help opens and closes
                        keys.append(_until(screen, b"?", lambda screen: b"Open the log" in screen.seen))
                        screen.read(0.3)
                        keys.append(_until(screen, b"\x1b", lambda screen: b"FINAL VALUE" in screen.seen))
                        screen.read(0.3)
                    forms.append(_until(screen, b"n", lambda screen: b"$ mmrl train" in screen.seen))
            for what, figures in (("first paint", painted), ("a key", keys), ("the form", forms)):
                least, middle, most = np.quantile(figures, (0, 0.5, 1))
                print(f"while all cores train, {what}: {middle:.2f} s ({least:.2f} to {most:.2f})")
        finally:
            process.kill()


CASES = {"paint": first_paint, "charts": live_charts, "table": long_table, "busy": busy}


def main() -> None:
    """Print a figure a line."""
    for name in sys.argv[1:] or list(CASES):
        with tempfile.TemporaryDirectory() as place:
            CASES[name](Path(place))


if __name__ == "__main__":
    if sys.argv[1:2] == ["inside"]:
        inside(*sys.argv[2:4])
    else:
        main()
