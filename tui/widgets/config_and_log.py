"""Settings and log of a run, shown as plain text."""

from __future__ import annotations

from pathlib import Path

from rich.text import Text
from textual.binding import Binding
from textual.widgets import DataTable, Log

from mmrl.plots.text import printable
from mmrl.runs import config_file, listing, store
from mmrl.settings.fields import NAME, fields, shown, value_of

from ..watch import Tail

LINES = 5_000


class ConfigTable(DataTable):
    """Every setting with its origin, those of its market first; what differs from the default is highlighted."""

    HELP_TITLE = "Config"
    BINDINGS = [
        Binding("c", "changed_only", "Changed only", tooltip="Only what differs from the default, or everything")
    ]

    def __init__(self, folder: Path) -> None:
        super().__init__(cursor_type="row", id="config-table")
        self.folder = folder
        self.changed_only = False

    def on_mount(self) -> None:
        for name, width in (("SETTING", 26), ("VALUE", 22), ("DEFAULT", 22), ("ORIGIN", 20), ("MEANING", 60)):
            self.add_column(name, width=width)
        self.load()

    def load(self) -> None:
        """Read the settings; an error is shown in the table."""
        self.clear()
        try:
            stored = config_file.read_config(self.folder)
        except Exception as error:
            self.add_row(Text(printable(error) or "config.toml cannot be read"))
            return
        origin = stored.meta.get(listing.MARKET_FROM)
        if origin:
            self.add_row(Text("  market fitted to"), Text(printable(origin)), Text(""), Text(store.MARKET), Text(""))
        for spec in fields(stored.config.market.name):
            value = value_of(stored.config, spec)
            differs = value != spec.default
            if self.changed_only and not differs and spec.key != NAME:
                continue
            style = f"bold {self.app.theme_variables['warning']}" if differs else ""
            cells = [
                Text(f"{'*' if differs else ' '} {spec.key}", style=style),
                Text(printable(shown(value)), style=style),
                Text(spec.shown_default),
                Text(printable(stored.origins.get(spec.key, "default"))),
                Text(spec.help),
            ]
            self.add_row(*cells)

    def action_changed_only(self) -> None:
        """Show only the settings that differ from their defaults, or all again."""
        self.changed_only = not self.changed_only
        self.load()


class LogTail(Log):
    """The end of log.txt, as it grows; without control characters and without markup."""

    def __init__(self, folder: Path) -> None:
        super().__init__(max_lines=LINES, highlight=False, id="log")
        self.tail = Tail(folder / "log.txt")
        self._fresh = True

    def poll(self) -> None:
        """Append what is new."""
        lines, reset = self.tail.lines()
        if reset:
            self.clear()
            self._fresh = True
        if lines:
            if self._fresh:
                self.clear()
            self._fresh = False
            texts = [printable(line[:4_000].decode("utf-8", "replace")) for line in lines[-LINES:]]
            self.write_lines(texts)
        elif self._fresh and not self.line_count:
            self.write_line("no log: only a run started in the background has one")
