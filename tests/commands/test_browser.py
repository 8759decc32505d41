"""`mmrl tui --serve` in a headless Chromium: charts move while a run trains, and stand still when it has stopped."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHART = {"x": 60, "y": 90, "width": 560, "height": 270}
"""The plot of the first chart in a window of 1280 x 800, without its title and the axis of epochs."""
MOST = 120.0
"""Seconds that anything may take on a busy machine."""


def started(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mmrl", *words], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip


def ended(process: subprocess.Popen[str]) -> int:
    process.send_signal(signal.SIGINT)
    _, _ = process.communicate(timeout=MOST)
    return process.returncode


@pytest.fixture
def page() -> Iterator[Any]:
    """A page of a browser: the one of this machine, or playwright's own."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    pytest.importorskip("textual_serve", reason="textual-serve is not installed: pip install '.[serve]'")
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-headless-shell", "google-chrome"))), None)
    with playwright.sync_playwright() as running:
        if found is None and not Path(running.chromium.executable_path).exists():
            pytest.skip("no Chromium is installed")
        browser = running.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser.new_page(viewport={"width": 1280, "height": 800})
        browser.close()


def moves(page: Any, seconds: float) -> bool:
    """Whether the first chart changes within so many seconds."""
    before, end = page.screenshot(clip=CHART), time.monotonic() + seconds
    while time.monotonic() < end:
        page.wait_for_timeout(500)
        if page.screenshot(clip=CHART) != before:
            return True
    return False


@pytest.mark.nightly
def test_charts_move_while_a_run_trains(page: Any, tmp_path: Path) -> None:
    small = ("-nt", "50", "-nb", "20", "-ne", "100000", "--threads", "1", "--name", "live", "--results", str(tmp_path))
    training = started("train", "--preset", "avellaneda-stoikov", *small)
    server = None
    try:
        metrics, end = tmp_path / "live" / "metrics.jsonl", time.monotonic() + 4 * MOST
        while not metrics.exists() or len(metrics.read_text().splitlines()) < 3:
            assert training.poll() is None and time.monotonic() < end
            time.sleep(0.2)
        server = started("tui", "live", "--serve", "--results", str(tmp_path))
        assert server.stderr is not None
        address = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", server.stderr.readline())
        assert address is not None
        page.goto(address[0], wait_until="domcontentloaded")
        assert moves(page, MOST)  # the chart appears
        page.wait_for_timeout(2000)
        for _ in range(3):
            assert moves(page, MOST)
        assert ended(training) == 130
        page.wait_for_timeout(5000)
        assert not moves(page, 5)
    finally:
        codes = [ended(process) for process in (training, server) if process is not None and process.poll() is None]
    assert codes == [0]


@pytest.mark.nightly
def test_the_page_asks_this_machine_alone(page: Any) -> None:
    """And it shows the terminal under the policy that forbids it to ask others."""
    asked: list[str] = []
    faults: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    server = started("tui", "avellaneda-stoikov-ppo", "--serve", "--results", str(ROOT / "good-results"))
    try:
        assert server.stderr is not None
        address = re.search(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", server.stderr.readline())
        assert address is not None
        page.goto(address[0], wait_until="domcontentloaded")
        page.wait_for_selector("body.-first-byte", timeout=1000 * MOST)
        page.wait_for_timeout(2000)
    finally:
        ended(server)
    assert len(asked) >= 3 and [url for url in asked if not url.startswith((address[0], "data:", "blob:"))] == []
    assert [text for text in faults if "Content Security Policy" in text] == []
