"""The application: themes, the session, polling of the run folders, and which screen is shown."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal

from textual import on, work
from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from mmrl.runs.status import read_raw, word

from . import processes
from .messages import PollRuns, StartTraining
from .run_index import RunIndex
from .screens.base import Base
from .screens.help import owners
from .screens.runs import RunsScreen
from .screenshot import screenshot
from .session import Session
from .settings import load_settings
from .themes import THEMES

INTERVAL = 0.5  # seconds between two polls of the run folders
FULL_UPDATE = 20  # every so many polls all rows are compared, because ages grow without a change on disk


class MmrlApp(App[None]):
    """Watch and control training runs; quitting leaves them training."""

    CSS_PATH = "app.tcss"
    TITLE = "mmrl"
    HELP_TITLE = "Everywhere"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS = [
        Binding("ctrl+q", "quit", "Quit; training goes on", show=False),
        Binding("f12", "screenshot_svg", "Screenshot (SVG)", show=False),
        Binding("f10", "next_theme", "Next theme", show=False),
    ]

    def __init__(self, results: str | Path = "results") -> None:
        super().__init__()
        self.session = Session(RunIndex(results), load_settings())
        self._states: dict[str, str] = {}
        self._updates, self._poll_scheduled, self._partial, self._updated = 0, False, True, 0.0
        for theme in THEMES:
            self.register_theme(theme)
        saved = self.session.settings.theme
        self.theme = saved if saved in self.available_themes else THEMES[0].name

    def on_mount(self) -> None:
        self.theme_changed_signal.subscribe(self, lambda theme: self.session.settings.change(theme=theme.name))
        self.push_screen(RunsScreen(self.session))
        self.set_interval(INTERVAL, self.poll_runs)

    @on(PollRuns)
    def poll_runs(self) -> None:
        """Read what changed in the run folders and update the visible screens."""
        runs = self.session.runs
        changed, gone = runs.poll()
        for key in changed:
            entry = runs.entries.get(key)
            if entry:
                self._announce(key, entry.info.name, entry.info.state)
        if runs.busy and not self._poll_scheduled:
            self._poll_scheduled = True
            self.set_timer(0.01 if runs.loading else 0.1, self._poll_again)
        if not runs.loading:
            self._update_screens(changed, gone)
        elif time.monotonic() - self._updated > INTERVAL / 2:  # a long list appears in a few steps, not in hundreds
            self._update_screens(set(), set())

    def _poll_again(self) -> None:
        self._poll_scheduled = False
        self.poll_runs()

    def _update_screens(self, changed: set[str], gone: set[str]) -> None:
        """Pass changed and removed keys to the visible screens; two empty sets mean that anything may have changed."""
        self._updated = time.monotonic()
        self._updates += 1
        if self._updates % FULL_UPDATE and not self._partial:
            changed = changed | self._active_keys()
        elif not gone:
            changed = set()  # anything: earlier changes were not passed on, or the ages of inactive runs have grown
        self._partial = self.session.runs.loading
        for screen in reversed(self.screen_stack):  # a hidden screen updates itself when it is shown again
            if isinstance(screen, Base):
                screen.runs_changed(changed, gone)
            if not screen.is_modal:
                break

    def _active_keys(self) -> set[str]:
        """Keys of the runs in training, whose age is shown in seconds; never empty, which would mean all runs."""
        return {key for key, entry in self.session.runs.entries.items() if entry.active} | {""}

    def _announce(self, key: str, name: str, state: str) -> None:
        """Show that a run has ended."""
        before, self._states[key] = self._states.get(key), state
        if before in (None, state):
            return
        if state in ("finished", "diverged", "crashed", "failed", "interrupted"):
            bad = state in ("diverged", "crashed", "failed")
            self.notify(f"{name}: {word(state)}", severity="error" if bad else "information", markup=False)

    @on(StartTraining)
    def _start_training(self, message: StartTraining) -> None:
        self._launch(message, self.screen)

    @work(thread=True, group="launch", exit_on_error=False)
    def _launch(self, message: StartTraining, screen: Screen) -> None:
        """Start training in a thread, as it takes seconds; `screen` was shown when it was asked for."""
        try:
            started = processes.start(message.arguments, message.results)
        except Exception as error:
            self.call_from_thread(self._toast, str(error), "error")
            return
        self.call_from_thread(self._launched, started, screen if message.open_run else None)

    def _launched(self, started: dict[str, Any], screen: Screen | None) -> None:
        """Show the new run, unless the user has left the `screen` on which it was started."""
        self._toast(f"training in process {started.get('pid', '?')}")
        self.poll_runs()
        if screen is None or self.screen is not screen:
            return
        from .screens.run import RunScreen

        for entry in self.session.runs.entries.values():
            folder = Path(entry.info.folder)
            if read_raw(folder).get("pid") == started.get("pid"):
                self.push_screen(RunScreen(self.session, folder))
                break

    def _toast(self, text: str, severity: Literal["information", "error"] = "information") -> None:
        self.notify(text, severity=severity, markup=False, timeout=6)

    def action_next_theme(self) -> None:
        names = [theme.name for theme in THEMES]
        at = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(at + 1) % len(names)]

    def export_screenshot(self, *, title: str | None = None, simplify: bool = False) -> str:
        """The screen as SVG, for F12, the palette and the docs."""
        return screenshot(self, title or self.TITLE or "mmrl")

    def action_screenshot_svg(self) -> None:
        try:
            path = self.save_screenshot(path=str(Path.cwd()))
        except OSError as error:
            self.notify(f"no screenshot: {error.strerror}", severity="error", markup=False)
            return
        self.notify(f"wrote {path}", markup=False)

    def get_system_commands(self, screen: Screen) -> Iterable[SystemCommand]:
        yield from super().get_system_commands(screen)
        for node in owners(screen):
            for _, binding in node._bindings:
                if binding.description and not binding.system and "." not in binding.action.partition("(")[0]:
                    key = self.get_key_display(binding)
                    action = binding.action
                    yield SystemCommand(
                        f"{binding.tooltip or binding.description}",
                        f"key {key}",
                        lambda action=action, node=node: self.call_later(self.run_action, action, node),
                    )


def run(results: str = "results") -> None:
    """Open the application until it is quit."""
    MmrlApp(results).run()
