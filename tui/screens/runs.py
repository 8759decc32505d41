"""The list of all runs.

The other screens are imported when they are opened: the list appears a tenth of a second earlier.
"""

from __future__ import annotations

from pathlib import Path

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.fuzzy import Matcher
from textual.widgets import Footer, Input, Static

from mmrl.plots.numbers import compact
from mmrl.plots.text import printable
from mmrl.runs.store import RunInfo

from ..messages import PollRuns
from ..session import Session
from ..widgets.cells import row
from ..widgets.columns import BARS_FROM, COLUMNS, LAYOUTS, NUMBERS, SORTS, STATES
from ..widgets.runs_table import HEADER, Cells, Column, RunsTable
from .base import RunActions
from .dialogs import Choose

EMPTY = "No runs yet in {}.\n\nPress n to start one, or run\nmmrl train --preset quickstart"


class RunsScreen(RunActions):
    """The list of runs."""

    HELP_TITLE = "Runs"
    BINDINGS = [
        Binding("enter", "open", "Open", priority=False),
        Binding("n", "new", "New"),
        Binding("d", "duplicate", "Duplicate", show=False),
        Binding("space", "mark", "Mark", tooltip="Mark for comparison, at most 8"),
        Binding("c", "compare", "Compare", tooltip="Compare the marked runs"),
        Binding("p", "pause", "Pause"),
        Binding("r", "resume", "Resume"),
        Binding("t", "stop", "Stop", tooltip="Stop after this epoch, with a checkpoint"),
        Binding("x", "expand", "More epochs", tooltip="Train more epochs"),
        Binding("e", "edit", "Edit", tooltip="Change learning rate, entropy, target or plot_after while it trains"),
        Binding("R", "rename", "Rename", show=False),
        Binding("g", "promote", "Promote", show=False, tooltip="Promote: copy to good-results"),
        Binding("delete", "trash", "Trash", show=False, tooltip="Move to the trash"),
        Binding("u", "undo", "Undo", show=False, tooltip="Restore the last run moved to the trash"),
        Binding("Y", "copy_path", "Copy path", show=False),
        Binding("l", "log", "Log", show=False, tooltip="Open the log"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("o", "sort", "Sort", show=False, tooltip="Sort by the next column"),
        Binding("O", "reverse", "Reverse", show=False, tooltip="Reverse the order"),
        Binding("G", "group", "Group", show=False, tooltip="Group by folder, or not"),
        Binding("w", "states", "States", show=False, tooltip="Show only some states"),
        Binding("escape", "clear", "Clear filter", show=False),
        Binding("j", "move(1)", "Down", show=False),
        Binding("k", "move(-1)", "Up", show=False),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.marked: list[str] = []
        self.state_filter = "all"
        self._allowed: list[bool | None] = []
        self._line = ""

    def compose(self) -> ComposeResult:
        yield Static(id="top", classes="bar", markup=False)
        yield Input(placeholder="filter by name, market or learner", id="filter", select_on_focus=False)
        yield RunsTable(self._cells, id="table")
        yield Static(id="nothing", classes="empty", markup=False)
        yield Footer(show_command_palette=False)
        yield from self.too_small()

    def on_mount(self) -> None:
        self._lay_out()
        self.set_focus(self.table)
        self.app.post_message(PollRuns())

    def on_screen_resume(self) -> None:
        self.runs_changed(set(), set())

    @property
    def table(self) -> RunsTable:
        """The table itself."""
        return self.query_one("#table", RunsTable)

    def on_resize(self, event: events.Resize) -> None:
        super().on_resize(event)
        self._lay_out()
        self.runs_changed(set(), set())

    def _lay_out(self) -> None:
        """Choose columns and widths for the width of the terminal."""
        width = self.size.width or 120
        names = list(next(found for least, found in LAYOUTS if width >= least))
        widths = {name: COLUMNS[name][1] for name in names}
        if width < BARS_FROM:
            widths["epoch"] = 9
        widths["name"] = max(width - 2 - sum(widths.values()) - 2 * len(names) + widths["name"], 10)
        shape = [Column(name, COLUMNS[name][0], columns, name in NUMBERS) for name, columns in widths.items()]
        if shape != self.table.columns:
            self.table.lay_out(shape)

    def runs_changed(self, changed: set[str], gone: set[str]) -> None:
        """Show the run index; two empty sets mean that anything may have changed."""
        if not self.query("#nothing"):
            return  # the screen is not composed yet
        runs, entries = self.session.runs, self.session.runs.entries
        self.marked = [key for key in self.marked if key in entries]
        order = self._order()
        self.table.show(order, changed if changed or gone else None, not runs.loading)
        self._top(sum(not key.startswith(HEADER) for key in order))
        nothing = not order
        self.table.display = not nothing
        note = self.query_one("#nothing", Static)
        note.display = nothing
        if nothing:
            text = "Reading the runs ..." if runs.loading else EMPTY.format(runs.results)
            if runs.fault:
                text = runs.fault
            elif entries:
                text = "No run matches. Esc clears the filter."
            note.update(printable(text) if "\n" not in text else text)
        self._highlighted()

    def _cells(self, key: str) -> Cells:
        """The cells in the row of a run."""
        entry = self.session.runs.entries[key]
        return row(entry, self._mark(key), self.app.theme_variables, self.size.width >= BARS_FROM)

    def _mark(self, key: str) -> int | None:
        return self.marked.index(key) if key in self.marked else None

    def _order(self) -> list[str]:
        """Keys in the order in which they are shown."""
        entries, settings = self.session.runs.entries, self.session.settings
        kept = [e for e in entries.values() if STATES[self.state_filter](e)]
        text = self.query_one("#filter", Input).value.strip()
        if text:
            matcher = Matcher(text)
            fields = {e.key: f"{e.info.name} {e.info.market} {e.info.algorithm} {e.info.state}" for e in kept}
            kept = [e for e in kept if matcher.match(fields[e.key]) > 0]
        kept.sort(key=lambda e: e.info.name)
        kept.sort(key=SORTS.get(settings.sort, SORTS["name"]), reverse=settings.reverse)
        if not settings.grouped:
            return [e.key for e in kept]
        folders = [(self.session.runs.results, False), (self.session.runs.good, True)]
        groups = [(folder.name, [e.key for e in kept if e.good == good]) for folder, good in folders]
        groups = [(name, keys) for name, keys in groups if keys]
        if len(groups) < 2:
            return [key for _, keys in groups for key in keys]
        return [key for name, keys in groups for key in (f"{HEADER}{printable(name)}/ {len(keys)}", *keys)]

    def _top(self, count: int) -> None:
        entries, settings = self.session.runs.entries.values(), self.session.settings
        good = sum(e.good for e in entries)
        active = [e for e in entries if e.active]
        speed = sum(e.info.steps_per_second or 0 for e in active if e.info.state == "running")
        left = f"mmrl  {self.session.runs.results}/ {len(entries) - good} · good-results/ {good}"
        right = f"{len(active)} training" + (f" · {compact(speed, 3)} steps/s" if speed else "")
        arrow = "▴" if settings.reverse else "▾"
        order = f"{count} shown · sort: {settings.sort} {arrow} · state: {self.state_filter}"
        room = max(self.size.width - 2, 20)
        filtered = f" · state: {self.state_filter}" if self.state_filter != "all" else ""
        text = f"{left}   {order}" if room >= 100 else left + filtered
        line = printable(text + right.rjust(max(room - len(text), len(right) + 2)))[:room]
        if line != self._line:
            self._line = line
            self.query_one("#top", Static).update(line, layout=False)

    def subject(self) -> RunInfo | None:
        key = self.table.current
        entry = self.session.runs.entries.get(key) if key else None
        return entry.info if entry else None

    def moved(self, old: Path, new: Path | None) -> None:
        self.app.post_message(PollRuns())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("pause", "resume", "stop", "expand", "edit", "rename", "promote", "trash", "duplicate"):
            return True if self.allows(action) else None if action in ("trash", "rename") else False
        if action in ("open", "mark", "copy_path", "log"):
            return self.subject() is not None
        if action == "compare":
            return len(self.marked) > 1
        if action == "undo":
            return bool(self.session.trashed)
        return True

    @on(RunsTable.Highlighted)
    def _highlighted(self) -> None:
        actions = ("pause", "resume", "stop", "expand", "edit", "rename", "promote", "trash", "duplicate")
        allowed = [self.allows(action) for action in actions]
        if allowed != self._allowed:  # the footer is built again, which takes longer than moving the cursor
            self._allowed = allowed
            self.refresh_bindings()

    @on(RunsTable.Selected)
    def _selected(self) -> None:
        self.action_open()

    @on(RunsTable.Titled)
    def _titled(self, event: RunsTable.Titled) -> None:
        sort = {"age": "updated"}.get(event.column, event.column)
        if sort in SORTS:
            settings = self.session.settings
            settings.change(sort=sort, reverse=sort == settings.sort and not settings.reverse)
            self.runs_changed(set(), set())

    @on(Input.Changed, "#filter")
    def _filtered(self) -> None:
        self.runs_changed(set(), set())

    @on(Input.Submitted, "#filter")
    def _submitted(self) -> None:
        self.set_focus(self.table)

    def action_filter(self) -> None:
        field = self.query_one("#filter", Input)
        field.add_class("-shown")
        self.set_focus(field)

    def action_clear(self) -> None:
        field = self.query_one("#filter", Input)
        field.value, self.state_filter = "", "all"
        field.remove_class("-shown")
        self.set_focus(self.table)
        self.runs_changed(set(), set())

    def action_sort(self) -> None:
        names, settings = list(SORTS), self.session.settings
        at = names.index(settings.sort) if settings.sort in names else -1
        settings.change(sort=names[(at + 1) % len(names)])
        self.runs_changed(set(), set())

    def action_reverse(self) -> None:
        self.session.settings.change(reverse=not self.session.settings.reverse)
        self.runs_changed(set(), set())

    def action_group(self) -> None:
        self.session.settings.change(grouped=not self.session.settings.grouped)
        self.runs_changed(set(), set())

    def action_states(self) -> None:
        def chosen(state: str | None) -> None:
            if state:
                self.state_filter = state
                self.runs_changed(set(), set())

        self.app.push_screen(Choose("Show which runs?", list(STATES), self.state_filter), chosen)

    def action_move(self, by: int) -> None:
        self.table.move_cursor(row=self.table.cursor_row + by)

    def action_mark(self) -> None:
        key = self.table.current
        if key in self.marked:
            self.marked.remove(key)
        elif key and len(self.marked) < 8:
            self.marked.append(key)
        elif key:
            self.toast("8 runs are already marked", "warning")
        self.runs_changed(set(), set())
        self.refresh_bindings()

    def action_open(self, tab: str = "charts") -> None:
        run = self.subject()
        if run:
            from .run import RunScreen

            self.app.push_screen(RunScreen(self.session, Path(run.folder), tab))

    def action_log(self) -> None:
        self.action_open("log")

    def action_new(self) -> None:
        from .new_run import NewRun

        self.app.push_screen(NewRun(self.session))

    def action_duplicate(self) -> None:
        run = self.subject()
        if run and self.allows("duplicate"):
            from .new_run import NewRun

            self.app.push_screen(NewRun(self.session, Path(run.folder)))

    def action_compare(self) -> None:
        if len(self.marked) > 1:
            from .compare import Compare

            self.app.push_screen(Compare(self.session, [Path(key) for key in self.marked]))

    def action_undo(self) -> None:
        if not self.session.trashed:
            return
        place, folder = self.session.trashed[-1]
        if folder.exists():
            self.toast(f"there is another run named {folder.name}: rename that one first", "error")
        elif self.attempt(lambda: place.rename(folder), f"{folder.name} is restored"):
            self.session.trashed.pop()
            self.app.post_message(PollRuns())
