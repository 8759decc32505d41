"""What can be done to a run wherever one is current: pause, resume, stop, train on, change, rename, promote, trash."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from textual.binding import ActiveBinding

from mmrl.runs import config_file, control, listing, store
from mmrl.runs.lock import is_locked
from mmrl.runs.names import RULE, valid_name
from mmrl.runs.promote import promote
from mmrl.runs.status import UNFINISHED, word
from mmrl.settings.fields import field, parse_text, shown, value_of

from ..messages import PollRuns, StartTraining
from .base import Base
from .dialogs import Ask, Blank, Confirm

REFUSALS = {
    "pause": "only a run in training pauses",
    "resume": "there is nothing to resume; x trains more epochs",
    "stop": "only a run in training can be stopped",
    "expand": "only a run at rest trains more epochs; e changes the target of one in training",
    "edit": "only a run in training is changed; d makes a new one from its settings",
    "rename": "stop it first, with t",
    "promote": "stop it first, with t",
    "trash": "stop it first, with t",
    "duplicate": "its settings cannot be read",
}
"""Actions on a run, and what is said where the state of the run does not allow them."""


class RunActions(Base):
    """A screen with a current run: pause, resume, stop, expand, rename, promote, trash, edit."""

    def subject(self) -> listing.RunInfo | None:
        """The current run, on which the actions work."""
        raise NotImplementedError

    def moved(self, old: Path, new: Path | None) -> None:
        """A run was renamed, or moved to the trash (`new` is None)."""

    def refusal(self, action: str) -> str | None:
        """Why an action on the current run makes no sense now; None if it does, or is no action on a run."""
        if action not in REFUSALS:
            return None
        run = self.subject()
        if run is None:
            return "no run is selected"
        resting = run.state not in UNFINISHED
        sound = run.state != "broken"
        good = "good-results" in Path(run.folder).parts[-2:-1]
        possible = {
            "pause": run.state in ("starting", "running"),
            "resume": run.state in ("paused", "pausing", "interrupted", "pruned", "crashed", "failed"),
            "stop": not resting,
            "expand": resting and sound and run.state != "diverged",
            "edit": not resting,
            "rename": resting,
            "promote": resting and sound and not good,
            "trash": resting,
            "duplicate": sound,
        }
        if possible[action]:
            return None
        if action == "promote" and good:
            return f"{run.name} is in good-results already"
        reason = REFUSALS[action] if sound or resting is False else "mmrl runs doctor says what is wrong with it"
        return f"{run.name} is {word(run.state)}: {reason}"

    def offers(self, active: ActiveBinding) -> bool:
        return self.refusal(active.binding.action.partition("(")[0]) is None

    def allowed(self, action: str) -> listing.RunInfo | None:
        """The current run, if the action makes sense; else says why not."""
        reason = self.refusal(action)
        if reason is not None:
            self.toast(reason, "warning")
            return None
        return self.subject()

    def action_pause(self) -> None:
        run = self.allowed("pause")
        if run:
            self._request(run, "pause", f"asked {run.name} to pause after this epoch")

    def action_resume(self) -> None:
        run = self.allowed("resume")
        if not run:
            return
        if is_locked(Path(run.folder)):
            self._request(run, "run", f"asked {run.name} to resume")
        else:
            self._train(run, [])

    def action_stop(self) -> None:
        run = self.allowed("stop")
        if run:
            detail = "It stops after this epoch, with a checkpoint; r resumes it."
            question = Confirm(f"Stop {run.name}?", detail, "Stop")
            self.app.push_screen(
                question, lambda yes: self._request(run, "stop", f"asked {run.name} to stop") if yes else None
            )

    def _request(self, run: listing.RunInfo, want: str, done: str, **live: float) -> None:
        if self.attempt(lambda: control.request(Path(run.folder), want, **live), done):
            self.app.post_message(PollRuns())

    def _train(self, run: listing.RunInfo, arguments: list[str]) -> None:
        """Resume a run in the background."""
        self.app.post_message(StartTraining(["--load", run.name, *arguments], Path(run.folder).parent))

    def action_expand(self) -> None:
        run = self.allowed("expand")
        if not run:
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
        run = self.allowed("edit")
        if not run:
            return
        folder, stored = Path(run.folder), None
        with contextlib.suppress(Exception):  # config.toml cannot be read: the fields stay empty
            stored = config_file.read_config(folder).config
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

        question = f"Change {run.name} while it trains"
        kept = self.session.answers.setdefault(question, {})
        self.app.push_screen(Ask(question, blanks, kept=kept), answered)

    def action_rename(self) -> None:
        run = self.allowed("rename")
        if not run:
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
        run = self.allowed("promote")
        if not run:
            return

        def answered(yes: bool | None) -> None:
            if yes:
                self.attempt(lambda: promote(Path(run.folder)), f"{run.name} copied to good-results")
                self.app.post_message(PollRuns())

        detail = "A copy with its last and its best checkpoint, to keep beside the code."
        self.app.push_screen(Confirm(f"Copy {run.name} to good-results?", detail, "Copy"), answered)

    def action_trash(self) -> None:
        run = self.allowed("trash")
        if not run:
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
