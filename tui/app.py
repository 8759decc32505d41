"""The application: themes, the session, polling of the run folders, and which screen is shown."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal, cast

from textual import on, work
from textual.app import SystemCommand
from textual.binding import Binding
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.driver import Driver
from textual.screen import Screen

from mmrl.runs.find import anywhere
from mmrl.runs.status import read_raw, word

from . import processes
from .in_order import InOrder
from .messages import PollRuns, StartTraining
from .run_index import Entry, RunIndex
from .screens.base import Base
from .screens.help import owners
from .screens.runs import RunsScreen
from .screenshot import screenshot
from .session import Session
from .settings import load_settings
from .themes import THEMES

INTERVAL = 0.5  # seconds between two polls of the run folders
LOOKS = 20  # for a run that was just started, INTERVAL apart
FULL_UPDATE = 20  # every so many polls all rows are compared, because ages grow without a change on disk


SETTLED = 1.0  # seconds after the start when all is painted; to look through all of it for garbage holds keys up


class FindRun(Provider):
    """The palette's way to a run."""

    async def discover(self) -> Hits:
        for entry in list(self._runs())[:10]:
            yield DiscoveryHit(entry.info.name, self._opens(entry), help=self._help(entry))

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for entry in self._runs():
            score = matcher.match(entry.info.name)
            if score > 0:
                yield Hit(score, matcher.highlight(entry.info.name), self._opens(entry), help=self._help(entry))

    def _runs(self) -> Iterable[Entry]:
        """All runs, the newest first."""
        entries = cast(MmrlApp, self.app).session.runs.entries.values()
        return sorted(entries, key=lambda entry: -(entry.info.updated or 0))

    def _opens(self, entry: Entry) -> Callable[[], None]:
        return lambda: cast(MmrlApp, self.app).open_run(Path(entry.key))

    def _help(self, entry: Entry) -> str:
        return f"run, {word(entry.info.state)}"


class MmrlApp(InOrder):
    """Watch and control training runs; quitting leaves them training."""

    CSS_PATH = "app.tcss"
    TITLE = "mmrl"
    HELP_TITLE = "Everywhere"
    ENABLE_COMMAND_PALETTE = True
    BINDINGS = [
        Binding("ctrl+q", "quit", "Quit", priority=True, tooltip="Quit; training goes on"),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False, priority=True, tooltip="Suspend; fg comes back"),
        Binding("f12", "screenshot_svg", "Screenshot (SVG)", show=False),
        Binding("f10", "next_theme", "Next theme", show=False),
    ]

    COMMANDS = InOrder.COMMANDS | {FindRun}

    def __init__(self, results: str | Path = "results", run: Path | None = None) -> None:
        """`run` is shown at once, above the list."""
        super().__init__()
        self.first_run = run
        self.session = Session(RunIndex(results), load_settings())
        self._states: dict[str, str] = {}
        self._updates, self._poll_scheduled, self._partial, self._updated = 0, False, True, 0.0
        for theme in THEMES:
            self.register_theme(theme)
        saved = self.session.settings.theme
        self.theme = saved if saved in self.available_themes else THEMES[0].name

    def get_driver_class(self) -> type[Driver]:
        """A terminal's driver is ours; those of other systems, of a browser and of tests are Textual's."""
        usual = super().get_driver_class()
        if usual.__name__ != "LinuxDriver":
            return usual
        from .keyboard import Keyboard

        return Keyboard

    def on_mount(self) -> None:
        self.theme_changed_signal.subscribe(self, lambda theme: self.session.settings.change(theme=theme.name))
        self.push_screen(RunsScreen(self.session))
        if self.first_run is not None:
            self.open_run(self.first_run)
        self.set_interval(INTERVAL, self.poll_runs)
        if not self.is_headless:
            self.set_timer(SETTLED, gc.freeze)  # garbage is looked for among newer objects alone

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
        if state in ("finished", "diverged", "crashed", "failed", "interrupted", "pruned"):
            bad = state in ("diverged", "crashed", "failed")
            self.notify(f"{name}: {word(state)}", severity="error" if bad else "information", markup=False)

    @on(StartTraining)
    def _start_training(self, message: StartTraining) -> None:
        self._toast("starting a process that trains ...")  # it takes seconds
        self._launch(message, self.screen)

    @work(thread=True, group="launch", exit_on_error=False)
    def _launch(self, message: StartTraining, screen: Screen) -> None:
        """Start training in a thread, as it takes seconds; `screen` was shown when it was asked for."""
        try:
            started = processes.start(message.arguments, message.results)
        except Exception as error:
            self.call_from_thread(self._toast, str(error), "error")
            return
        self.call_from_thread(message.started)
        self.call_from_thread(self._launched, started.get("pid"), screen if message.open_run else None, LOOKS)

    def _launched(self, pid: object, screen: Screen | None, looks: int) -> None:
        """Name the new run and put the cursor on it; show it, unless the user has left the `screen` it was started on.

        A long list may take some `looks` until the run is in it.
        """
        self.poll_runs()
        for entry in self.session.runs.entries.values():
            if entry.active and read_raw(Path(entry.key)).get("pid") == pid:
                self._toast(f"training {entry.info.name} in process {pid}")
                self.session.chosen = entry.key
                self._update_screens(set(), set())
                if screen is not None and self.screen is screen:
                    self.open_run(Path(entry.key))
                return
        if looks > 1:
            self.set_timer(INTERVAL, lambda: self._launched(pid, screen, looks - 1))
        else:
            self._toast(f"training in process {pid}")

    def open_run(self, folder: Path) -> None:
        """Show a run; the cursor of the list goes to it."""
        from .screens.run import RunScreen

        self.session.chosen = str(folder)
        shown = RunScreen(self.session, folder)
        if isinstance(self.screen, RunScreen):
            self.switch_screen(shown)
        else:
            self.push_screen(shown)

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


def run(results: str = "results", name: str = "") -> None:
    """Open the application until it is quit, on a run if one is named.

    Raises RunNotFound, and SystemExit where the application failed and has said why.
    """
    folder = Path(anywhere(name, results).folder) if name else None
    app = MmrlApp(results, folder)
    app.run()
    if app.return_code:
        raise SystemExit(app.return_code)
