"""`mmrl tui --serve`: the terminal UI in a browser of this machine; needs textual-serve (extra `serve`)."""

from __future__ import annotations

import logging
import re
import secrets
import shlex
import socket
import sys
from typing import Any

from mmrl.plots.output import say
from mmrl.runs.processes import python
from mmrl.settings.errors import ConfigError

HOST = "127.0.0.1"
POLICY = "default-src 'self' data: blob: 'unsafe-inline' 'wasm-unsafe-eval'"
"""What a page may load: of this server alone, and what stands in the page."""


def serve(run: str, results: str, port: int) -> None:
    """Serve until Ctrl-C, at an address that nobody can guess: whoever has it steers the runs. 0: any free port."""
    try:
        from aiohttp import web
        from textual_serve.server import Server
    except ImportError:
        raise ConfigError("--serve needs textual-serve: pip install 'market-making-rl[serve]'") from None
    if run:
        from mmrl.runs.find import anywhere

        anywhere(run, results)
    token = secrets.token_urlsafe(24)

    class Hidden(Server):
        """All pages stand below the token; what is asked without it is not found. They ask nobody else for anything."""

        def initialize_logging(self) -> None:
            super().initialize_logging()
            logging.getLogger("aiohttp.access").disabled = True  # its lines hold the token

        async def handle_index(self, request: Any) -> Any:
            page = await super().handle_index(request)
            page.text = re.sub(r"<link\b[^>]*https?://(?!127\.0\.0\.1)[^>]*>", "", page.text)  # a font of another site
            page.headers["Content-Security-Policy"] = f"{POLICY}; connect-src 'self' ws://{HOST}:{self.port}"
            page.headers["Referrer-Policy"] = "no-referrer"
            return page

        async def _make_app(self) -> Any:
            outer = web.Application()
            outer.add_subapp(f"/{token}/", await super()._make_app())
            return outer

        async def on_startup(self, app: Any) -> None:
            say(
                f"mmrl: open http://{HOST}:{self.port}/{token}/ in a browser of this machine; Ctrl-C ends it",
                sys.stderr,
            )

    # the name of a run after --: it may look like an option
    command = shlex.join([*python(), "tui", "--results", results, *(["--", run] if run else [])])
    Hidden(command, host=HOST, port=_free(port), title="mmrl").serve()


def _free(port: int) -> int:
    """The port, if nothing listens there; for 0 one that is free."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ConfigError(f"--port {port} cannot be used: {error.strerror}: name another one, or none") from None
        return int(probe.getsockname()[1])
