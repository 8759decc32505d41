"""Dialogs: a yes-no question, a few values to fill in, a choice."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label, OptionList, Static
from textual.widgets.option_list import Option

from .painted import Painted


class Confirm(ModalScreen[bool], Painted):
    """A yes-no question: Enter or y means yes; Esc, n or q means no."""

    BINDINGS = [("y", "answer(True)", "Yes"), ("n,escape,q", "answer(False)", "No")]

    def __init__(self, question: str, detail: str = "", yes: str = "Yes") -> None:
        super().__init__()
        self.question, self.detail, self.yes = question, detail, yes

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(Text(self.question), classes="question")
            if self.detail:
                yield Label(Text(self.detail), classes="detail")
            with Horizontal(classes="buttons"):
                yield Button(Text(f"{self.yes} (y)"), id="yes", variant="primary")
                yield Button("No (Esc)", id="no")

    def on_mount(self) -> None:
        self.set_focus(self.query_one("#yes"))

    def action_answer(self, answer: bool) -> None:
        self.dismiss(answer)

    @on(Button.Pressed)
    def _pressed(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id == "yes")


@dataclass(frozen=True)
class Blank:
    """One value to fill in: its name, its first text, and a check that returns an error message or None."""

    name: str
    label: str
    value: str = ""
    check: Callable[[str], str | None] = lambda text: None


class Ask(ModalScreen[Mapping[str, str] | None], Painted):
    """A few values with the errors below them; Enter accepts, Esc cancels.

    What was typed when it was cancelled goes into `kept`, by name, and is there again when it is asked with the same.
    """

    BINDINGS = [("escape", "cancel", "Cancel")]

    def __init__(
        self, question: str, blanks: list[Blank], detail: str = "", kept: dict[str, str] | None = None
    ) -> None:
        super().__init__()
        self.question, self.blanks, self.detail = question, blanks, detail
        self.kept = {} if kept is None else kept

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(Text(self.question), classes="question")
            if self.detail:
                yield Label(Text(self.detail), classes="detail")
            for blank in self.blanks:
                if blank.label:
                    yield Label(Text(blank.label))
                yield Input(
                    self.kept.get(blank.name, blank.value), id=f"ask-{blank.name}", compact=len(self.blanks) > 2
                )
                yield Label("", id=f"error-{blank.name}", classes="fault")
            yield Label("Enter: apply · Esc: cancel", classes="hint")

    def on_mount(self) -> None:
        self.set_focus(self.query(Input).first())

    def action_cancel(self) -> None:
        texts = self._texts()
        self.kept.clear()
        self.kept.update({b.name: texts[b.name] for b in self.blanks if texts[b.name] != b.value})
        self.dismiss(None)

    def _texts(self) -> dict[str, str]:
        return {b.name: self.query_one(f"#ask-{b.name}", Input).value for b in self.blanks}

    @on(Input.Changed)
    def _changed(self) -> None:
        self._faults()

    def _faults(self) -> int:
        faults = 0
        for blank in self.blanks:
            fault = blank.check(self.query_one(f"#ask-{blank.name}", Input).value)
            faults += fault is not None
            self.query_one(f"#error-{blank.name}", Label).update(Text(fault or ""))
        return faults

    @on(Input.Submitted)
    def _submitted(self) -> None:
        if not self._faults():
            self.kept.clear()
            self.dismiss(self._texts())


class ChooseSome(ModalScreen[list[str] | None], Painted):
    """A choice of several; space takes one or leaves it out, Enter accepts, Esc cancels."""

    BINDINGS = [
        Binding("enter", "accept", "Accept", priority=True),
        Binding("space", "take", "Take or leave out", priority=True),
        Binding("escape,q", "cancel", "Cancel"),
        Binding("backspace", "reset", "The usual ones"),
    ]

    def __init__(self, question: str, choices: Mapping[str, str], current: Collection[str]) -> None:
        """`choices` are the texts by name."""
        super().__init__()
        self.question, self.choices, self.taken = question, choices, set(current)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(Text(self.question), classes="question")
            yield OptionList(*(Option(self._line(name), id=name) for name in self.choices))
            yield Label("space: show or hide · Enter: apply\nBackspace: the usual ones · Esc: cancel", classes="hint")

    def _line(self, name: str) -> Text:
        return Text(f"[{'x' if name in self.taken else ' '}] {self.choices[name]}")

    def action_take(self) -> None:
        options = self.query_one(OptionList)
        if options.highlighted is not None:
            name = list(self.choices)[options.highlighted]
            self.taken ^= {name}
            options.replace_option_prompt_at_index(options.highlighted, self._line(name))

    def action_accept(self) -> None:
        self.dismiss([name for name in self.choices if name in self.taken])

    def action_cancel(self) -> None:
        self.dismiss(None)

    def action_reset(self) -> None:
        self.dismiss([])


class Choose(ModalScreen[Any], Painted):
    """A choice of one option, with a text about the highlighted one; Enter accepts, Esc or q cancels."""

    BINDINGS = [
        ("escape,q", "cancel", "Cancel"),
        ("j", "move('down')", "Down"),
        ("k", "move('up')", "Up"),
        ("g", "move('first')", "First"),
        ("G", "move('last')", "Last"),
    ]

    def __init__(
        self, question: str, choices: list[str], current: str = "", about: Callable[[str], str] | None = None
    ) -> None:
        super().__init__()
        self.question, self.choices, self.current, self.about = question, choices, current, about

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog wide" if self.about else "dialog"):
            yield Label(Text(self.question), classes="question")
            yield OptionList(*[Option(Text(choice)) for choice in self.choices])
            if self.about is not None:
                yield Static(id="about", markup=False)
            yield Label("Enter: accept · Esc: cancel", classes="hint")

    def on_mount(self) -> None:
        options = self.query_one(OptionList)
        self.set_focus(options)
        if self.current in self.choices:
            options.highlighted = self.choices.index(self.current)

    def action_cancel(self) -> None:
        self.dismiss(None)

    def action_move(self, where: str) -> None:
        options = self.query_one(OptionList)
        {
            "down": options.action_cursor_down,
            "up": options.action_cursor_up,
            "first": options.action_first,
            "last": options.action_last,
        }[where]()

    @on(OptionList.OptionHighlighted)
    def _highlighted(self, event: OptionList.OptionHighlighted) -> None:
        if self.about is not None:
            self.query_one("#about", Static).update(self.about(self.choices[event.option_index]))

    @on(OptionList.OptionSelected)
    def _selected(self, event: OptionList.OptionSelected) -> None:
        self.dismiss(self.choices[event.option_index])
