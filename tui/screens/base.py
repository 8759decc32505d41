"""What all screens share: help, a message when the terminal is too small, questions, steering of runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from rich.text import Text
from textual import events, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Static

from mmrl.runs import control, store
from mmrl.runs.lock import is_locked
from mmrl.runs.promote import promote
from mmrl.runs.status import read_raw
from mmrl.settings.fields import field, parse_text, shown, value_of
from tui import processes
from tui.screens.dialogs import Ask, Blank, Confirm
from tui.screens.help import Help

if TYPE_CHECKING:
    from tui.app import MmrlApp

LEAST = (40, 12)


class Base(Screen[None]):
    """A screen of the application."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (76, "-normal"), (150, "-rich")]
    BINDINGS = [Binding("question_mark", "help", "Help", key_display="?")]
    AUTO_FOCUS = None

    @property
    def mmrl(self) -> MmrlApp:
        """The application, with its own type."""
        return cast("MmrlApp", self.app)

    def too_small(self) -> ComposeResult:
        """The message that a tiny terminal shows instead of the screen."""
        yield Static(id="too-small", markup=False)

    def on_resize(self, event: events.Resize) -> None:
        tiny = event.size.width < LEAST[0] or event.size.height < LEAST[1]
        self.set_class(tiny, "-tiny")
        if tiny:
            text = f"{event.size.width}x{event.size.height} is too small: {LEAST[0]}x{LEAST[1]} is the least"
            for note in self.query("#too-small"):
                cast(Static, note).update(text)

    def action_help(self) -> None:
        self.app.push_screen(Help(self))

    def tell(self, text: str, severity: Any = "information") -> None:
        """A toast; the text is shown as it is."""
        self.notify(text, severity=severity, markup=False, timeout=6)

    def attempt(self, action: Callable[[], Any], done: str = "") -> Any:
        """Do something to a run; what goes wrong becomes a toast."""
        try:
            result = action()
        except Exception as error:
            self.tell(f"{error}" or type(error).__name__, "error")
            return None
        if done:
            self.tell(done)
        return result if result is not None else True


class Steering(Base):
    """A screen with one run in hand: pause, resume, stop, expand, rename, promote, trash, edit."""

    def subject(self) -> store.RunInfo | None:
        """The run that keys act on."""
        raise NotImplementedError

    def moved(self, old: Path, new: Path | None) -> None:
        """A run was renamed (or trashed: None)."""

    def allows(self, action: str) -> bool | None:
        """Whether an action fits the state of the run in hand; None greys it out."""
        run = self.subject()
        if run is None:
            return None
        live = run.state in ("starting", "running", "pausing", "paused", "stopping")
        rest = not live and run.state != "broken"
        fits = {
            "pause": run.state in ("starting", "running"),
            "resume": run.state in ("paused", "pausing", "interrupted", "crashed", "failed"),
            "stop": live,
            "expand": rest and run.state != "diverged",
            "edit": live,
            "rename": not live,
            "promote": rest and "good-results" not in Path(run.folder).parts[-2:-1],
            "trash": not live,
            "duplicate": run.state != "broken",
        }
        return True if fits.get(action, True) else None

    def action_pause(self) -> None:
        run = self.subject()
        if run and self.allows("pause"):
            self._request(run, "pause", f"asked {run.name} to pause after its epoch")

    def action_resume(self) -> None:
        run = self.subject()
        if not run or not self.allows("resume"):
            return
        if is_locked(Path(run.folder)):
            self._request(run, "run", f"asked {run.name} to go on")
        else:
            self.launch(["--load", run.name], Path(run.folder).parent)

    def action_stop(self) -> None:
        run = self.subject()
        if run and self.allows("stop"):
            question = Confirm(f"Stop {run.name}?", "It ends after its epoch, with a checkpoint; r goes on.", "Stop")
            self.app.push_screen(
                question, lambda yes: self._request(run, "stop", f"asked {run.name} to stop") if yes else None
            )

    def _request(self, run: store.RunInfo, want: str, done: str, **live: float) -> None:
        if self.attempt(lambda: control.request(Path(run.folder), want, **live), done):
            self.mmrl.poke()

    def action_expand(self) -> None:
        run = self.subject()
        if not run or not self.allows("expand"):
            return

        def whole(text: str) -> str | None:
            good = text.isascii() and text.isdigit() and 0 < int(text[:9]) <= 10_000_000
            return None if good else "a whole number from 1 to 10000000"

        def answered(values: Any) -> None:
            if values:
                self.launch(["--load", run.name, "--expand", values["epochs"]], Path(run.folder).parent)

        ask = Ask(f"Train {run.name} further", [Blank("epochs", "Epochs more", "100", whole)])
        self.app.push_screen(ask, answered)

    def action_edit(self) -> None:
        run = self.subject()
        if not run or not self.allows("edit"):
            return
        folder, stored = Path(run.folder), None
        with contextlib.suppress(Exception):  # a broken file of settings: the blanks stay empty
            stored = store.read_config(folder).config
        now = {} if stored is None else {n: value_of(stored, field(key)) for n, key in control.LIVE.items()}
        now |= control.read_control(folder)["set"]

        def allowed(name: str) -> Callable[[str], str | None]:
            def check(text: str) -> str | None:
                spec = field(control.LIVE[name])
                try:
                    value = control.checked(name, parse_text(spec, text))
                except ValueError:
                    return spec.allowed
                reached = name == "ne" and value <= run.epoch
                return f"epoch {run.epoch} is reached already" if reached else None

            return check

        titles = {
            "lr": "Learning rate",
            "entropy": "Weight of the entropy bonus",
            "ne": "Target, in epochs",
            "plot_after": "Epochs between two episodes, 0: none",
        }
        shown_now = {n: "" if n not in now else shown(now[n]) for n in titles}
        blanks = [Blank(n, title, shown_now[n], allowed(n)) for n, title in titles.items()]

        def answered(values: Any) -> None:
            typed = {n: text for n, text in (values or {}).items() if text != shown_now[n]}
            changed = {n: parse_text(field(control.LIVE[n]), text) for n, text in typed.items()}
            if not changed:
                return
            want = control.read_control(folder)["want"]
            said = ", ".join(f"{control.LABELS[n]} {v:g}" for n, v in changed.items())
            self._request(run, want, f"{run.name}: asked for {said} from the next epoch on", **changed)

        self.app.push_screen(Ask(f"Change {run.name} while it trains", blanks), answered)

    def action_rename(self) -> None:
        run = self.subject()
        if not run or not self.allows("rename"):
            return
        from mmrl.runs.names import RULE, valid_name

        def answered(values: Any) -> None:
            if values and values["name"] != run.name:
                new = self.attempt(lambda: store.rename(Path(run.folder), values["name"]))
                if new:
                    self.moved(Path(run.folder), new)
                    self.tell(f"renamed to {values['name']}")

        check: Callable[[str], str | None] = lambda text: None if valid_name(text) else RULE  # noqa: E731
        self.app.push_screen(Ask(f"Rename {run.name}", [Blank("name", "", run.name, check)]), answered)

    def action_promote(self) -> None:
        run = self.subject()
        if run and self.allows("promote"):
            self.attempt(lambda: promote(Path(run.folder)), f"{run.name} copied to good-results")
            self.mmrl.poke()

    def action_trash(self) -> None:
        run = self.subject()
        if not run or not self.allows("trash"):
            return

        def answered(yes: bool | None) -> None:
            if yes:
                place = self.attempt(lambda: store.trash(Path(run.folder)))
                if place:
                    self.mmrl.trashed.append((Path(place), Path(run.folder)))
                    self.moved(Path(run.folder), None)
                    self.tell(f"{run.name} is in the trash; u takes it back")

        self.app.push_screen(Confirm(f"Move {run.name} to the trash?", "u takes it back.", "Move"), answered)

    def action_copy_path(self) -> None:
        run = self.subject()
        if run:
            self.app.copy_to_clipboard(str(Path(run.folder).resolve()))
            self.tell(f"copied {Path(run.folder).resolve()}")

    @work(thread=True, group="launch", exit_on_error=False)
    def launch(self, arguments: list[str], results: Path) -> None:
        """Start training in the background; how it went is told in a toast."""
        try:
            told = processes.start(arguments, results)
        except Exception as error:
            self.app.call_from_thread(self.tell, str(error), "error")
            return
        self.app.call_from_thread(self.launched, told)

    def launched(self, told: dict[str, Any]) -> None:
        """Training was started: show it if that was wished for, once its folder is there."""
        self.tell(f"training in process {told.get('pid', '?')}")
        self.mmrl.poke()
        watch, self.mmrl.watch_next = self.mmrl.watch_next, False
        if not watch or self.app.screen is not self:  # whoever has opened something else meanwhile is left alone
            return
        for entry in self.mmrl.catalogue.entries.values():
            if read_raw(Path(entry.info.folder)).get("pid") == told.get("pid"):
                from tui.screens.run import RunScreen

                self.app.push_screen(RunScreen(Path(entry.info.folder)))
                break


def plain(text: object, style: str = "") -> Text:
    """Any text as it stands: no markup, no control characters."""
    from mmrl.plots.text import printable

    return Text(printable(text), style=style, no_wrap=True)
