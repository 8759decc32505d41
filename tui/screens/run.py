"""One run: live charts, episodes, book, quotes, settings and log."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.widget import Widget
from textual.widgets import DataTable, Log, Static, TabbedContent, TabPane
from textual.widgets._tabbed_content import ContentTabs

from mmrl.markets.contract import usual_spec
from mmrl.plots.numbers import compact
from mmrl.plots.text import printable
from mmrl.runs import config_file, listing
from mmrl.runs.control import read_request
from mmrl.runs.metrics import described
from mmrl.runs.status import ACKNOWLEDGED, UNFINISHED, read_raw, read_status, word

from ..run_index import place_of
from ..run_order import ordered
from ..session import Session
from ..themes import SIGNS
from ..watch import Metrics
from ..widgets.book import BookView
from ..widgets.cells import bar
from ..widgets.chart import Chart
from ..widgets.charted import Charted
from ..widgets.config_and_log import ConfigTable, LogTail
from ..widgets.episode import EpisodeView
from ..widgets.keybar import RUN, KeyBar
from ..widgets.quotes import QuotesView
from ..widgets.training import TrainingCharts
from .dialogs import Choose
from .new_run import NewRun
from .run_actions import RunActions

TABS = ("charts", "episode", "book", "quotes", "config", "log")
RATE = 0.25
BEST_INTERVAL = 15.0  # seconds between two toasts about a new best value
FEW = 500  # a poll that reads fewer epochs has reached the end of the file


class RunScreen(RunActions):
    """A run during its training or afterwards."""

    HELP_TITLE = "Run"
    BINDINGS = [
        *(Binding(str(n), f"tab('{name}')", name.title(), show=False) for n, name in enumerate(TABS, 1)),
        Binding("escape", "leave", "Back", show=False),
        Binding("q", "leave", "Back"),
        Binding("p", "pause", "Pause"),
        Binding("r", "resume", "Resume"),
        Binding("t", "stop", "Stop", tooltip="Stop after this epoch, with a checkpoint"),
        Binding("x", "expand", "More epochs", tooltip="Train more epochs"),
        Binding("e", "edit", "Edit", tooltip="Change learning rate, entropy, target or plot_after while it trains"),
        Binding("left_square_bracket", "run(-1)", "Previous run", group=RUN),
        Binding("right_square_bracket", "run(1)", "Next run", group=RUN),
        Binding("d", "duplicate", "Duplicate", tooltip="Duplicate: a new run with its settings"),
        Binding("P", "promote", "Promote", tooltip="Promote: copy to good-results"),
        Binding("R", "rename", "Rename"),
        Binding("Y", "copy_path", "Copy path", show=False),
    ]

    def __init__(self, session: Session, folder: Path, tab: str = "charts") -> None:
        super().__init__(session)
        self.folder, self.first_tab = folder, tab
        self.metrics = Metrics(folder / "metrics.jsonl")
        self.info = listing.RunInfo(
            folder.name, "", str(folder), "starting", 0, 0, "", "", None, None, None, None, None, None
        )
        self.seed = ""
        self._headline = Text()
        self._requested = False  # whether the trainer has not yet acknowledged a change
        self._loaded = False  # whether all epochs from before the screen was opened are read
        self._best = (math.nan, 0.0, False)  # value, epoch, whether a toast is due
        self._next_best = 0.0  # when the next toast about it may appear
        self._moving = False
        self._place = (0, 0)  # device and inode of the folder when it was last there

    def compose(self) -> ComposeResult:
        yield Static(id="head", classes="bar", markup=False)
        yield Static(id="warning", markup=False)
        with TabbedContent(initial=self.first_tab, id="tabs"):
            with TabPane("1 Charts", id="charts"):
                yield TrainingCharts(self.metrics, self.session.settings)
            with TabPane("2 Episode", id="episode"):
                yield EpisodeView(self.folder)
            with TabPane("3 Book", id="book"):
                yield BookView(self.folder)
            with TabPane("4 Quotes", id="quotes"):
                yield QuotesView(self.folder)
            with TabPane("5 Config", id="config"):
                yield ConfigTable(self.folder)
            with TabPane("6 Log", id="log"):
                yield LogTail(self.folder)
        yield KeyBar(self.offers)
        yield from self.too_small()

    def on_mount(self) -> None:
        self.query_one(ContentTabs).can_focus = False  # its keys are 1 to 6: the view's own go on working
        self._enter(self.first_tab)
        self.update_state()
        self.tick()
        self.set_interval(RATE, self.tick)

    def tick(self) -> None:
        """Read new epochs and draw the visible tab."""
        events, epochs = len(self.metrics.events), self.metrics.count
        if self.metrics.poll() and self.metrics.behind:
            self.set_timer(0.02, self.tick)
        self._show_news(events, epochs)
        self._show_warning()
        if self.app.screen is not self:
            return
        tab = self.query_one("#tabs", TabbedContent).active
        if tab == "charts":
            charts = self.query_one(TrainingCharts)
            charts.active = self.info.state in UNFINISHED
            charts.update()
        elif tab == "log":
            self.query_one(LogTail).poll()
        else:
            for view in (EpisodeView, BookView, QuotesView):
                if tab == view.TAB:
                    self.query_one(view).poll()
        self._head()

    def _show_news(self, events: int, epochs: int) -> None:
        """Show changed settings, whoever requested them, and a new best grade.

        `events` and `epochs` are the numbers known before; a new best is shown at most every BEST_INTERVAL seconds.
        """
        if self._loaded and len(self.metrics.events) > events:
            epoch, what = self.metrics.events[-1]
            self.toast(f"{self.info.name}: {what} since epoch {epoch:.0f}")
        if self.metrics.count < epochs:  # the file was replaced
            epochs, self._best = 0, (math.nan, 0.0, False)
        graded = self.metrics.column("grade")
        values = (graded if len(graded) and np.isfinite(graded).any() else self.metrics.column("value_mean"))[epochs:]
        if len(values) and np.isfinite(values).any():
            at = int(np.nanargmax(np.where(np.isfinite(values), values, np.nan)))
            if not values[at] <= self._best[0]:
                self._best = float(values[at]), float(self.metrics.column("epoch")[epochs + at]), self._loaded
        value, epoch, due = self._best
        if due and time.monotonic() >= self._next_best:
            self._best, self._next_best = (value, epoch, False), time.monotonic() + BEST_INTERVAL
            self.toast(f"{self.info.name}: new best policy at epoch {epoch:.0f}, grade {compact(value)}")
        self._loaded = self._loaded or (not self.metrics.behind and len(values) < FEW)

    def _show_warning(self) -> None:
        """Show what training noticed last that keeps the run from learning."""
        line, told = self.query_one("#warning", Static), self.metrics.warnings
        if line.display != bool(told):
            line.display = bool(told)
        if told:
            epoch, text = told[-1]
            line.update(f"! epoch {epoch:.0f}: {text}")

    def update_state(self) -> None:
        """Read the state of the run; switch to the new folder if it was renamed."""
        entry = self.session.runs.entries.get(str(self.folder))
        before = self.info.state
        if (self.folder / "config.toml").is_file():
            self._place = place_of(self.folder)
            if entry is not None:
                self.info = entry.info
            else:
                found = self.attempt(lambda: listing.describe(self.folder))
                self.info = found if isinstance(found, listing.RunInfo) else self.info
            if not self.seed and self.info.state != "broken":
                self._read_seed()
        else:
            if renamed := self._renamed():
                self.moved(self.folder, renamed)
                return
            self.info = listing.RunInfo(**{**vars(self.info), "state": "vanished"})
        request, request_id = read_request(self.folder)
        acknowledged = request_id == read_raw(self.folder).get(ACKNOWLEDGED)
        self._requested = bool(request["set"]) and self.info.state in UNFINISHED and not acknowledged
        if before != self.info.state:
            self.refresh_bindings()
        self.call_after_refresh(self._offer_tabs)
        self._head()

    def _offer_tabs(self) -> None:
        """Hide the tabs that the run's market does not have."""
        spec = usual_spec(self.info.market)
        for box in self.query("#tabs").results(TabbedContent):  # none where the screen has been left meanwhile
            for name in TABS:
                if spec is not None and name not in spec.tabs:
                    box.hide_tab(name)

    def _renamed(self) -> Path | None:
        """Where the folder is now: the same folder under another name, not a copy of it with the same id."""
        same = [e for e in self.session.runs.entries.values() if e.info.id and e.info.id == self.info.id]
        return next((Path(e.key) for e in same if place_of(Path(e.key)) == self._place), None)

    def _read_seed(self) -> None:
        try:
            self.seed = str(config_file.read_config(self.folder).config.run.seed)
        except Exception:
            self.seed = "?"

    def _head(self) -> None:
        info, colours = self.info, self.app.theme_variables
        sign, colour = SIGNS.get(info.state, ("?", "error"))
        epoch = max(int(self.metrics.last("epoch")) if self.metrics.count else 0, info.epoch)
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"◀ {printable(info.name)}  ", style="bold")
        text.append(f"{sign} {word(info.state)}", style=colours.get(colour, ""))
        text.append(f" {epoch}/{info.target or '?'} ")
        text.append(bar(epoch, info.target, 16 if self.size.width >= 100 else 8), style=colours["primary"])
        if self._requested:
            text.append("  change requested", style=colours["warning"])
        if info.state == "running":
            seconds = self.metrics.last("seconds_rollout") + self.metrics.last("seconds_update")
            if seconds == seconds and info.target > epoch:
                text.append(f"  {_duration((info.target - epoch) * seconds)} left")
        speed = self.metrics.last("steps_per_second")
        if speed == speed:
            text.append(f"  {compact(speed, 3)} steps/s")
        if self.seed:
            text.append(f"  seed {self.seed}")
        error = None if info.state not in ("failed", "diverged", "crashed") else self._error()
        if error:
            text.append(f"  {error}", style=colours["error"])
        if text != self._headline:
            self._headline = text
            self.query_one("#head", Static).update(text, layout=False)

    def _error(self) -> str:
        status = read_status(self.folder)
        unknown = "its process was killed" if self.info.state == "crashed" else ""
        return printable(status.get("error") or unknown)[:200]

    def runs_changed(self, changed: set[str], gone: set[str]) -> None:
        if self.query("#head"):  # not before the screen is composed
            self.update_state()

    def subject(self) -> listing.RunInfo | None:
        return None if self.info.state == "vanished" else self.info

    def moved(self, old: Path, new: Path | None) -> None:
        if new is None:
            self.action_leave()
        elif self.app.screen is self and not self._moving:
            self._moving = True
            self.app.switch_screen(RunScreen(self.session, new, self.query_one("#tabs", TabbedContent).active))

    def action_tab(self, name: str) -> None:
        box = self.query_one("#tabs", TabbedContent)
        if box.get_tab(name).display:
            box.active = name
            self._enter(name)
        else:
            self.toast(f"the market {self.info.market} has no {name}", "warning")

    def action_run(self, by: int) -> None:
        """Show the next or previous run of the list, in the same tab."""
        runs, here = self.session.runs, str(self.folder)
        listed = self.session.order or ordered(runs, self.session.settings, "all", "")
        order = [key for key in map(runs.now, listed) if key in runs.entries]
        at = order.index(here) + by if here in order else 0
        if not 0 <= at < len(order):
            self.toast("this is the last run of the list" if by > 0 else "this is the first run of the list", "warning")
            return
        self.session.chosen = order[at]
        self.app.switch_screen(RunScreen(self.session, Path(order[at]), self.query_one("#tabs", TabbedContent).active))

    @on(TabbedContent.TabActivated)
    def _activated(self, event: TabbedContent.TabActivated) -> None:
        if event.pane.id == "config":
            self.query_one(ConfigTable).load()  # the trainer writes changed settings into config.toml
        if self.app.screen is self:
            self._enter(event.pane.id or "charts")
        self.tick()

    def home(self) -> Widget | None:
        return self._entry(self.query_one("#tabs", TabbedContent).active)

    def _entry(self, tab: str) -> Widget | None:
        """The first widget of a tab that takes keys: in the charts the one that is shown."""
        kinds: dict[str, type[Widget]] = {"charts": Chart, "config": DataTable, "log": Log}
        pane = self.query_one("#tabs", TabbedContent).get_pane(tab or "charts")
        found = pane.query(kinds[tab]) if tab in kinds else pane.children
        return next((widget for widget in found if widget.display), None)

    def _enter(self, tab: str) -> None:
        """Focus the first widget of a tab that takes keys, if the focus is not in it."""
        pane = self.query_one("#tabs", TabbedContent).get_pane(tab)
        if self.focused is None or pane not in self.focused.ancestors:
            self.set_focus(self._entry(tab))

    def action_leave(self) -> None:
        shown = self.query_one("#tabs", TabbedContent).active_pane
        views = [] if shown is None else [view for view in shown.query(Charted) if view.maximised]
        if views:
            views[0].maximise(None)
        elif self.app.screen is self:
            self.app.pop_screen()

    def action_duplicate(self) -> None:
        if self.allowed("duplicate"):
            self.app.push_screen(NewRun(self.session, self.folder))

    @on(TrainingCharts.MetricRequested)
    def _choose_metric(self, event: TrainingCharts.MetricRequested) -> None:
        charts = self.query_one(TrainingCharts)
        self.app.push_screen(Choose("Fourth chart", event.names, charts.metric, described), charts.show_metric)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(min(seconds, 3.6e8)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
