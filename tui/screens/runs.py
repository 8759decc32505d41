"""The list of all runs.

The other screens are imported when they are opened: the list appears a tenth of a second earlier.
"""

from __future__ import annotations

from pathlib import Path

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding
from textual.widget import Widget
from textual.widgets import Input, Static

from mmrl.plots.numbers import compact
from mmrl.plots.text import printable
from mmrl.runs import groups as grouping
from mmrl.runs.goals import SPEC, spec_of_sweep, sweep_of
from mmrl.runs.listing import RunInfo
from mmrl.runs.status import WAITING

from .. import groups
from ..messages import PollRuns
from ..run_index import Entry
from ..run_order import HEADER, SORTS, STATES, ordered
from ..session import Session
from ..widgets.cells import row
from ..widgets.columns import BARS_FROM, choices, laid_out
from ..widgets.keybar import KeyBar
from ..widgets.preview import Preview
from ..widgets.runs_table import Cells, RunsTable
from .dialogs import Choose, ChooseSome, Confirm
from .run_actions import REFUSALS, RunActions

PREVIEW_FROM = 20  # lines of the terminal
EMPTY = "No runs yet in {}.\n\nPress n to start one, or run\nmmrl train --preset quickstart"


class RunsScreen(RunActions):
    """The list of runs."""

    HELP_TITLE = "Runs"
    BINDINGS = [
        Binding("enter", "open", "Open", priority=False),
        Binding("escape", "clear", "Show all"),
        Binding("n", "new", "New"),
        Binding("p", "pause", "Pause"),
        Binding("r", "resume", "Resume"),
        Binding("t", "stop", "Stop", tooltip="Stop after this epoch, with a checkpoint"),
        Binding("x", "expand", "More epochs", tooltip="Train more epochs"),
        Binding("e", "edit", "Edit", tooltip="Change learning rate, entropy, target or plot_after while it trains"),
        Binding("space", "mark", "Mark", tooltip="Mark for comparison, at most 8"),
        Binding("c", "compare", "Compare", tooltip="Compare the marked runs"),
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("d", "duplicate", "Duplicate", tooltip="Duplicate: a new run with its settings"),
        Binding("o", "sort", "Sort", tooltip="Sort by the next column"),
        Binding("O", "reverse", "Reverse", show=False, tooltip="Reverse the order"),
        Binding("R", "rename", "Rename"),
        Binding("P", "promote", "Promote", tooltip="Promote: copy to good-results"),
        Binding("delete", "trash", "Trash", tooltip="Move to the trash"),
        Binding("u", "undo", "Undo", tooltip="Restore the last run moved to the trash"),
        Binding("w", "states", "States", show=False, tooltip="Show only some states"),
        Binding("f", "group", "By folder", show=False, tooltip="Group by folder, or not"),
        Binding("z", "fold", "Unfold", show=False, tooltip="Show or hide the runs of a group"),
        Binding("V", "parallel", "Parallel values", tooltip="All trials of a sweep as lines across its settings"),
        Binding("v", "preview", "Preview", show=False, tooltip="Show or hide the preview"),
        Binding("C", "columns", "Columns", show=False, tooltip="Choose the columns"),
        Binding("Y", "copy_path", "Copy path", show=False),
        Binding("l", "log", "Log", show=False, tooltip="Open the log"),
        Binding("j", "move(1)", "Down", show=False),
        Binding("k", "move(-1)", "Up", show=False),
        Binding("q", "quit", "Quit", tooltip="Quit, after a question; training goes on"),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.marked: list[str] = []
        self.state_filter = "all"
        self.unfolded: set[str] = set()
        self.groups: dict[str, list[Entry]] = {}
        self._offered: list[bool] = []
        self._line = ""

    def compose(self) -> ComposeResult:
        yield Static(id="top", classes="bar", markup=False)
        yield Input(placeholder="filter by name, market or learner", id="filter")
        yield RunsTable(self._cells, self.session.runs.now, id="table")
        yield Preview(self.session.settings)
        yield Static(id="nothing", classes="empty", markup=False)
        yield KeyBar(self.offers)
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

    def home(self) -> Widget | None:
        return self.table

    def tick(self) -> None:
        """Draw the preview now."""
        self.query_one(Preview).show()

    def _lay_out(self) -> None:
        """Choose columns and the height of the preview for the size of the terminal."""
        size = self.size or self.app.size
        shape = laid_out(size.width or 120, self.session.settings.columns.split())
        if shape != self.table.columns:
            self.table.lay_out(shape)
        preview = self.query_one(Preview)
        preview.styles.height = min(max(size.height * 3 // 8, 9), 22)
        preview.display = self._has_preview()

    def _has_preview(self) -> bool:
        return self.session.settings.preview and self.size.height >= PREVIEW_FROM and bool(self.table.order)

    def runs_changed(self, changed: set[str], gone: set[str]) -> None:
        """Show the run index; two empty sets mean that anything may have changed."""
        if not self.query("#nothing"):
            return  # the screen is not composed yet
        runs, entries = self.session.runs, self.session.runs.entries
        self.marked = [runs.now(key) for key in self.marked]  # one in the trash may come back, with its mark
        if self.session.chosen is not None:
            self.table.wanted, self.session.chosen = self.session.chosen, None
            if self.table.wanted in entries:
                self.unfolded.add(groups.key_of(entries[self.table.wanted]))
        order = ordered(runs, self.session.settings, self.state_filter, self.query_one("#filter", Input).value.strip())
        rows, self.groups = groups.folded(order, entries, self.unfolded)
        changed = changed | {groups.key_of(entries[key]) for key in changed if key in entries}
        self.table.show(rows, changed if changed or gone else None, not runs.loading)
        self.session.order = [key for key in order if not key.startswith(HEADER)]
        self.query_one(Preview).display = self._has_preview()
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
        self._point(not (changed or gone) or self.table.current in changed)

    def _cells(self, key: str) -> Cells:
        """The cells in the row of a run or a group."""
        settings = [column.key for column in self.table.columns if "." in column.key]
        colours, wide = self.app.theme_variables, self.size.width >= BARS_FROM
        if key in self.groups:
            return groups.row(self.groups[key], key in self.unfolded, colours, wide, settings)
        entry = self.session.runs.entries[key]
        cells = row(entry, self._mark(key), colours, wide, settings)
        if entry.info.group:
            cells["name"] = Text(groups.INNER) + cells["name"]
        return cells

    def _mark(self, key: str) -> int | None:
        return self._shown_marks().index(key) if key in self.marked else None

    def _shown_marks(self) -> list[str]:
        """The marked runs that are there, in the order in which they were marked."""
        return [key for key in self.marked if key in self.session.runs.entries]

    def _top(self, count: int) -> None:
        entries, settings = self.session.runs.entries.values(), self.session.settings
        good = sum(e.good for e in entries)
        active = [e for e in entries if e.active]
        speed = sum(e.info.steps_per_second or 0 for e in active if e.info.state == "running")
        left = f"mmrl  {self.session.runs.results}/ {len(entries) - good} · good-results/ {good}"
        right = f"{sum(e.info.state != WAITING for e in active)} training" + (
            f" · {compact(speed, 3)} steps/s" if speed else ""
        )
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

    def refusal(self, action: str) -> str | None:
        if action in REFUSALS and self.table.current in self.groups:
            return "this is a group: z shows its runs"
        return super().refusal(action)

    def moved(self, old: Path, new: Path | None) -> None:
        self.app.post_message(PollRuns())

    def offers(self, active: ActiveBinding) -> bool:
        name = active.binding.action.partition("(")[0]
        if name in ("open", "mark"):
            return self.table.current is not None
        if name == "parallel":
            return self._sweep() is not None
        if name == "compare":
            return len(self._shown_marks()) > 1
        if name == "undo":
            return bool(self.session.trashed)
        if name == "clear":
            return self._narrowed()
        return super().offers(active)

    def _narrowed(self) -> bool:
        """Whether a filter hides runs, or is about to."""
        return self.query_one("#filter").has_class("-shown") or self.state_filter != "all"

    @on(RunsTable.Highlighted)
    def _highlighted(self) -> None:
        self._point()

    def _point(self, changed: bool = True) -> None:
        """Show the run under the cursor, and the keys for it; `changed` is whether there is anything new about it."""
        key = self.table.current
        entry = self.session.runs.entries.get(key) if key else None
        if key in self.groups:
            entry = groups.best_of(self.groups[key])
        self.query_one(Preview).point(entry, changed)
        offered = [self.refusal(action) is None for action in REFUSALS]
        offered += [self._narrowed(), bool(self.session.trashed), key is not None, self._sweep() is not None]
        if offered != self._offered:
            self._offered = offered
            self.refresh_bindings()

    @on(RunsTable.Selected)
    def _selected(self) -> None:
        self.action_open()

    @on(RunsTable.Titled)
    def _titled(self, event: RunsTable.Titled) -> None:
        sort = {"age": "updated"}.get(event.column, event.column)
        if sort in SORTS or "." in sort:
            settings = self.session.settings
            settings.change(sort=sort, reverse=sort == settings.sort and not settings.reverse)
            self.runs_changed(set(), set())

    @on(Input.Changed, "#filter")
    def _filtered(self) -> None:
        self.runs_changed(set(), set())

    @on(Input.Submitted, "#filter")
    def _submitted(self) -> None:
        self.set_focus(self.table)
        self.table.move_cursor(self.table.cursor_row)  # it belongs to the run that was found

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
        shown = [column.key for column in self.table.columns if "." in column.key]
        names, settings = [*SORTS, *shown], self.session.settings
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

    def action_columns(self) -> None:
        def chosen(names: list[str] | None) -> None:
            if names is not None and set(names) != set(now):
                self.session.settings.change(columns=" ".join(names))
                self._lay_out()

        now = [column.key for column in self.table.columns if column.key in choices()]
        self.app.push_screen(ChooseSome("Columns of the list", choices(), now), chosen)

    def action_preview(self) -> None:
        self.session.settings.change(preview=not self.session.settings.preview)
        self._lay_out()
        if self.session.settings.preview and not self._has_preview():
            self.toast(f"the preview needs a run and a terminal of {PREVIEW_FROM} lines", "warning")
        self._point()

    def action_quit(self) -> None:
        training = sum(e.active and e.info.state != WAITING for e in self.session.runs.entries.values())
        detail = f"{training} in training: that goes on without it." if training else ""
        self.app.push_screen(Confirm("Quit mmrl?", detail, "Quit"), lambda yes: self.app.exit() if yes else None)

    def action_move(self, by: int) -> None:
        self.table.move_cursor(row=self.table.cursor_row + by)

    def action_fold(self) -> None:
        """Show or hide the runs of the group under the cursor, or of the one that the run under it belongs to."""
        key = self.table.current or ""
        entry = self.session.runs.entries.get(key)
        group = groups.key_of(entry) if entry else key
        if group not in self.groups:
            self.toast("this run belongs to no group", "warning")
            return
        self.unfolded ^= {group}
        self.table.wanted = group
        self.runs_changed(set(), set())

    def _mark_group(self, key: str) -> None:
        """Mark the best runs of a group, or none of them where all are marked already."""
        keys = [info.folder for info in grouping.ranked([entry.info for entry in self.groups[key]])[:8]]
        others = [marked for marked in self.marked if marked not in keys]
        self.marked = others if set(keys) <= set(self.marked) else [*others, *keys][-8:]

    def action_mark(self) -> None:
        key = self.table.current
        if key in self.groups:
            self._mark_group(key)
        elif key in self.marked:
            self.marked.remove(key)
        elif key and len(self._shown_marks()) < 8:
            self.marked.append(key)
        elif key:
            self.toast("8 runs are already marked", "warning")
        else:
            self.toast("no run is selected", "warning")
        self.runs_changed(set(), set())
        self.refresh_bindings()

    def action_open(self, tab: str = "charts") -> None:
        run = self.subject()
        if self.table.current in self.groups:
            self.action_fold()
        elif run:
            from .run import RunScreen

            self.app.push_screen(RunScreen(self.session, Path(run.folder), tab))
        else:
            self.toast("no run is selected", "warning")

    def action_log(self) -> None:
        self.action_open("log")

    def action_new(self) -> None:
        from .new_run import NewRun

        self.app.push_screen(NewRun(self.session))

    def action_duplicate(self) -> None:
        run = self.allowed("duplicate")
        if run:
            from .new_run import NewRun

            self.app.push_screen(NewRun(self.session, Path(run.folder)))

    def action_compare(self) -> None:
        marked = self._shown_marks()
        if len(marked) < 2:
            self.toast("mark two runs or more with space first", "warning")
            return
        from .compare import Compare

        self.app.push_screen(Compare(self.session, [Path(key) for key in marked]))

    def _sweep(self) -> Path | None:
        """The folder of the sweep under the cursor, or of the one that the run under it belongs to."""
        key = self.table.current or ""
        entry = self.session.runs.entries.get(key)
        return sweep_of([each.info for each in self.groups.get(groups.key_of(entry) if entry else key, [])])

    def action_parallel(self) -> None:
        folder = self._sweep()
        if folder is None or spec_of_sweep(folder) is None:
            text = f"{folder / SPEC} cannot be read" if folder else "this is neither a sweep nor one of its trials"
            self.toast(text, "warning")
            return
        from .parallel import Parallel

        self.app.push_screen(Parallel(self.session, folder))

    def action_undo(self) -> None:
        if not self.session.trashed:
            self.toast("nothing was moved to the trash since the start", "warning")
            return
        place, folder = self.session.trashed[-1]
        if folder.exists():
            self.toast(f"there is another run named {folder.name}: rename that one first", "error")
        elif self.attempt(lambda: place.rename(folder), f"{folder.name} is restored"):
            self.session.trashed.pop()
            self.session.chosen = str(folder)
            self.app.post_message(PollRuns())
