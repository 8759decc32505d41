"""The application: its themes, its settings, the catalogue of runs, and which screen is shown."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path

from textual.app import App, SystemCommand
from textual.binding import Binding
from textual.screen import Screen

from tui.run_index import Catalogue
from tui.screens.help import owners
from tui.settings import load_settings, save_settings
from tui.themes import THEMES, word

RATE = 0.5  # seconds between two looks at the folders
AGES = 20  # every so many looks, all that is seen is compared with what is known


class MmrlApp(App[None]):
    """Watch and steer training runs; quitting touches none of them."""

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
        self.settings = load_settings()
        self.catalogue = Catalogue(results)
        self.trashed: list[tuple[Path, Path]] = []
        self.watch_next = False
        self._states: dict[str, str] = {}
        self._looks, self._again, self._partial, self._shown = 0, False, True, 0.0
        for theme in THEMES:
            self.register_theme(theme)
        if self.settings["theme"] in self.available_themes:
            self.theme = self.settings["theme"]
        else:
            self.theme = THEMES[0].name

    def on_mount(self) -> None:
        from tui.screens.runs import RunsScreen

        self.theme_changed_signal.subscribe(self, lambda theme: self.remember(theme=theme.name))
        self.push_screen(RunsScreen())
        self.set_interval(RATE, self.poke)

    def poke(self) -> None:
        """Look at the folders now, and let the screen on top know."""
        changed, gone = self.catalogue.poll()
        for key in changed:
            entry = self.catalogue.entries.get(key)
            if entry:
                self._announce(key, entry.info.name, entry.info.state)
        if self.catalogue.busy and not self._again:
            self._again = True
            self.set_timer(0.01 if self.catalogue.loading else 0.1, self._continue)
        if not self.catalogue.loading:
            self._show(changed, gone)
        elif time.monotonic() - self._shown > RATE / 2:  # a long list is shown in a few steps, not in hundreds
            self._show(set(), set())

    def _show(self, changed: set[str], gone: set[str]) -> None:
        """Let the screens that are seen know; without any key everything may have changed."""
        self._shown = time.monotonic()
        self._looks += 1
        if self._looks % AGES and not self._partial:
            changed = changed | self._live()
        elif not gone:
            changed = set()  # everything: not all was told, and ages of runs at rest grow as well
        self._partial = self.catalogue.loading
        for screen in reversed(self.screen_stack):  # what is hidden looks for itself when it is seen again
            if hasattr(screen, "runs_changed"):
                screen.runs_changed(changed, gone)
            if not screen.is_modal:
                break

    def _continue(self) -> None:
        self._again = False
        self.poke()

    def _live(self) -> set[str]:
        """Keys whose age is shown in seconds; never empty, which would mean everything."""
        return {key for key, entry in self.catalogue.entries.items() if entry.active} | {""}

    def _announce(self, key: str, name: str, state: str) -> None:
        before, self._states[key] = self._states.get(key), state
        if before in (None, state):
            return
        if state in ("finished", "diverged", "crashed", "failed", "interrupted"):
            bad = state in ("diverged", "crashed", "failed")
            self.notify(f"{name}: {word(state)}", severity="error" if bad else "information", markup=False)

    def remember(self, **values: object) -> None:
        """Keep settings for the next start."""
        self.settings.update(values)
        save_settings(self.settings)

    def action_next_theme(self) -> None:
        names = [theme.name for theme in THEMES]
        at = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(at + 1) % len(names)]

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
