"""`mmrl tui --serve`: on this machine alone, and only below a secret address."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import cli

ROOT = Path(__file__).resolve().parents[2]
GOOD = ROOT / "good-results"


def test_options_that_do_nothing_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        cli.main(["tui", "--port", "8000"])
    assert end.value.code == 2 and "--port has no effect without --serve" in capsys.readouterr().err


def test_a_missing_package_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(SystemExit) as end:
        cli.main(["tui", "--serve"])
    assert end.value.code == 2 and "pip install 'market-making-rl[serve]'" in capsys.readouterr().err


def status(url: str) -> int:
    """What the server answers; it says where it will be a moment before it is there."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError(f"{url} never answered")


def test_only_who_knows_the_address_sees_it(tmp_path: Path) -> None:
    """And neither does the page ask other sites for anything, nor does the terminal show the address once more."""
    pytest.importorskip("textual_serve", reason="textual-serve is not installed: pip install '.[serve]'")
    aiohttp: Any = pytest.importorskip("aiohttp")
    printed = (tmp_path / "printed").open("w+")
    server = subprocess.Popen(
        [sys.executable, "-m", "mmrl", "tui", "avellaneda-stoikov-ppo", "--serve", "--results", str(GOOD)],
        stderr=subprocess.PIPE, stdout=printed, text=True, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    try:
        assert server.stderr is not None
        line = server.stderr.readline()
        found = re.search(r"http://127\.0\.0\.1:(\d+)/([\w-]{32})/", line)
        assert found, line
        root = f"http://127.0.0.1:{found[1]}"
        assert status(found[0]) == 200
        with urllib.request.urlopen(found[0], timeout=20) as answer:
            page, policy = answer.read().decode(), answer.headers["Content-Security-Policy"]
        asked = [
            url
            for url in re.findall(r"(?:\w+:)?//[^\"'\s)]+", page)
            if not url.startswith((root, root.replace("http", "ws"), "http://www.w3.org/"))
        ]
        assert asked == [] and "textual.js" in page
        assert policy.startswith("default-src 'self'") and "http" not in policy
        assert status(found[0] + "static/js/textual.js") == 200
        for wrong in ("/", "/ws", "/static/js/textual.js", f"/{found[2][:-1]}x/", f"/{found[2][:-1]}x/ws"):
            assert status(root + wrong) == 404, wrong
        assert b"avellaneda-stoikov-ppo" in drawn(
            aiohttp, f"ws://127.0.0.1:{found[1]}/{found[2]}/ws?width=120&height=36"
        )
    finally:
        server.send_signal(signal.SIGINT)
        code = server.wait(20)
        assert server.stderr is not None
        rest = server.stderr.read()
        server.stderr.close()
        printed.seek(0)
        told = printed.read() + rest
        printed.close()
    assert code == 0 and found[2] not in told and "GET /" not in told


def drawn(aiohttp: Any, url: str) -> bytes:
    """What the terminal UI writes to the browser until it shows the run."""
    import asyncio

    async def read() -> bytes:
        seen = b""
        async with aiohttp.ClientSession() as session, session.ws_connect(url) as socket:
            async with asyncio.timeout(60):
                while b"avellaneda-stoikov-ppo" not in seen:
                    message = await socket.receive()
                    seen += message.data if isinstance(message.data, bytes) else str(message.data).encode()
        return seen

    return asyncio.run(read())
