"""What all screens share: help, toasts, a message when the terminal is too small; and the actions on a run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from rich.text import Text
from textual import events
from textual.app import ComposeResult
from textual.binding import Binding
from textual.screen import Screen
from textual.widgets import Static

from mmrl.runs import control, store
from mmrl.runs.lock import is_locked
from mmrl.runs.names import RULE, valid_name
from mmrl.runs.promote import promote
from mmrl.runs.status import UNFINISHED
from mmrl.settings.fields import field, parse_text, shown, value_of

from ..messages import PollRuns, StartTraining
from ..session import Session
from .dialogs import Ask, Blank, Confirm
from .help import Help

LEAST = (40, 12)


class Base(Screen[None]):
    """A screen of the application."""

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (76, "-normal"), (150, "-rich")]
    BINDINGS = [Binding("question_mark", "help", "Help", key_display="?")]
    AUTO_FOCUS = None

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session

    def runs_changed(self, changed: set[str], gone: set[str]) -> None:
        """The run index has changed; two empty sets mean that anything may have changed."""

    def too_small(self) -> ComposeResult:
        """The message shown instead of the screen if the terminal is too small."""
        yield Static(id="too-small", markup=False)

    def on_resize(self, event: events.Resize) -> None:
        tiny = event.size.width < LEAST[0] or event.size.height < LEAST[1]
        self.set_class(tiny, "-tiny")
        if tiny:
            text = f"{event.size.width}x{event.size.height} is too small: at least {LEAST[0]}x{LEAST[1]} is needed"
            for note in self.query("#too-small"):
                cast(Static, note).update(text)

    def action_help(self) -> None:
        self.app.push_screen(Help(self))

    def toast(self, text: str, severity: Any = "information") -> None:
        """Show a short message; the text is not read as markup."""
        self.notify(text, severity=severity, markup=False, timeout=6)

    def attempt(self, action: Callable[[], Any], done: str = "") -> Any:
        """Do something to a run; an error becomes a toast."""
        try:
            result = action()
        except Exception as error:
            self.toast(f"{error}" or type(error).__name__, "error")
            return None
        if done:
            self.toast(done)
        return result if result is not None else True


class RunActions(Base):
    """A screen with a current run: pause, resume, stop, expand, rename, promote, trash, edit."""

    def subject(self) -> store.RunInfo | None:
        """The current run, on which the actions work."""
        raise NotImplementedError

    def moved(self, old: Path, new: Path | None) -> None:
        """A run was renamed, or moved to the trash (`new` is None)."""

    def allows(self, action: str) -> bool | None:
        """Whether the state of the current run allows an action; None greys it out."""
        run = self.subject()
        if run is None:
            return None
        active = run.state in UNFINISHED
        resting = not active and run.state != "broken"
        allowed = {
            "pause": run.state in ("starting", "running"),
            "resume": run.state in ("paused", "pausing", "interrupted", "crashed", "failed"),
            "stop": active,
            "expand": resting and run.state != "diverged",
            "edit": active,
            "rename": not active,
            "promote": resting and "good-results" not in Path(run.folder).parts[-2:-1],
            "trash": not active,
            "duplicate": run.state != "broken",
        }
        return True if allowed.get(action, True) else None

    def action_pause(self) -> None:
        run = self.subject()
        if run and self.allows("pause"):
            self._request(run, "pause", f"asked {run.name} to pause after this epoch")

    def action_resume(self) -> None:
        run = self.subject()
        if not run or not self.allows("resume"):
            return
        if is_locked(Path(run.folder)):
            self._request(run, "run", f"asked {run.name} to resume")
        else:
            self._train(run, [])

    def action_stop(self) -> None:
        run = self.subject()
        if run and self.allows("stop"):
            detail = "It stops after this epoch, with a checkpoint; r resumes it."
            question = Confirm(f"Stop {run.name}?", detail, "Stop")
            self.app.push_screen(
                question, lambda yes: self._request(run, "stop", f"asked {run.name} to stop") if yes else None
            )

    def _request(self, run: store.RunInfo, want: str, done: str, **live: float) -> None:
        if self.attempt(lambda: control.request(Path(run.folder), want, **live), done):
            self.app.post_message(PollRuns())

    def _train(self, run: store.RunInfo, arguments: list[str]) -> None:
        """Resume a run in the background."""
        self.app.post_message(StartTraining(["--load", run.name, *arguments], Path(run.folder).parent))

    def action_expand(self) -> None:
        run = self.subject()
        if not run or not self.allows("expand"):
            return

        def whole(text: str) -> str | None:
            good = text.isascii() and text.isdigit() and 0 < int(text[:9]) <= 10_000_000
            return None if good else "enter a whole number from 1 to 10000000"

        def answered(values: Any) -> None:
            if values:
                self._train(run, ["--expand", values["epochs"]])

        ask = Ask(f"Train {run.name} for more epochs", [Blank("epochs", "Additional epochs", "100", whole)])
        self.app.push_screen(ask, answered)

    def action_edit(self) -> None:
        run = self.subject()
        if not run or not self.allows("edit"):
            return
        folder, stored = Path(run.folder), None
        with contextlib.suppress(Exception):  # config.toml cannot be read: the fields stay empty
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
                return f"epoch {run.epoch} is already reached" if reached else None

            return check

        titles = {
            "lr": "Learning rate",
            "entropy": "Weight of the entropy bonus",
            "ne": "Target (epochs)",
            "plot_after": "Epochs between saved episodes (0: none)",
        }
        shown_now = {n: "" if n not in now else shown(now[n]) for n in titles}
        blanks = [Blank(n, title, shown_now[n], allowed(n)) for n, title in titles.items()]

        def answered(values: Any) -> None:
            typed = {n: text for n, text in (values or {}).items() if text != shown_now[n]}
            changed = {n: parse_text(field(control.LIVE[n]), text) for n, text in typed.items()}
            if not changed:
                return
            want = control.read_control(folder)["want"]
            text = ", ".join(f"{control.LABELS[n]} {v:g}" for n, v in changed.items())
            self._request(run, want, f"{run.name}: asked for {text} from the next epoch on", **changed)

        self.app.push_screen(Ask(f"Change {run.name} while it trains", blanks), answered)

    def action_rename(self) -> None:
        run = self.subject()
        if not run or not self.allows("rename"):
            return

        def answered(values: Any) -> None:
            if values and values["name"] != run.name:
                new = self.attempt(lambda: store.rename(Path(run.folder), values["name"]))
                if new:
                    self.moved(Path(run.folder), new)
                    self.toast(f"renamed to {values['name']}")

        check: Callable[[str], str | None] = lambda text: None if valid_name(text) else RULE  # noqa: E731
        self.app.push_screen(Ask(f"Rename {run.name}", [Blank("name", "", run.name, check)]), answered)

    def action_promote(self) -> None:
        run = self.subject()
        if run and self.allows("promote"):
            self.attempt(lambda: promote(Path(run.folder)), f"{run.name} copied to good-results")
            self.app.post_message(PollRuns())

    def action_trash(self) -> None:
        run = self.subject()
        if not run or not self.allows("trash"):
            return

        def answered(yes: bool | None) -> None:
            if yes:
                place = self.attempt(lambda: store.trash(Path(run.folder)))
                if place:
                    self.session.trashed.append((Path(place), Path(run.folder)))
                    self.moved(Path(run.folder), None)
                    self.toast(f"{run.name} is in the trash; u restores it")

        self.app.push_screen(Confirm(f"Move {run.name} to the trash?", "u restores it.", "Move"), answered)

    def action_copy_path(self) -> None:
        run = self.subject()
        if run:
            self.app.copy_to_clipboard(str(Path(run.folder).resolve()))
            self.toast(f"copied {Path(run.folder).resolve()}")


def plain(text: object, style: str = "") -> Text:
    """Any text as it stands: no markup, no control characters."""
    from mmrl.plots.text import printable

    return Text(printable(text), style=style, no_wrap=True)
