"""One setting in the form: its name, what is typed, what it means, and what is wrong with it."""

from __future__ import annotations

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widget import Widget
from textual.widgets import Input, Label, Select

from mmrl.settings.fields import FieldSpec


class FieldRow(Vertical):
    """A label, an input that suits the kind of value, one line of help, one line of error."""

    class Edited(Message):
        """Something else was typed or chosen."""

        def __init__(self, key: str, text: str) -> None:
            super().__init__()
            self.key, self.text = key, text

    def __init__(self, spec: FieldSpec, text: str, found: bool = False) -> None:
        """`found` by a search, a field says which group it is of."""
        super().__init__(classes="field")
        self.spec, self.text, self.found = spec, text, found
        self._judged: tuple[str | None, str | None, bool] = None, None, False

    def compose(self) -> ComposeResult:
        choices = self.spec.choices or (("true", "false") if self.spec.kind == "bool" else ())
        with Horizontal():
            yield Label(Text(self.spec.name), classes="field-name")
            if choices:
                value = self.text if self.text in choices else choices[0]
                yield Select([(choice, choice) for choice in choices], value=value, allow_blank=False, compact=True)
            else:
                yield Input(self.text, compact=True)
            yield Label("", classes="field-note")
        yield Label(self._help(), classes="field-help")
        yield Label("", classes="fault")

    def _help(self) -> Text:
        spec = self.spec
        extra = [f"default {spec.shown_default}"] + ([spec.range] if spec.range else [])
        text = Text(f"{spec.panel} · " if self.found else "", style="bold")
        return text.append(f"{spec.help} ({', '.join(extra)})", style="not bold")

    def entry(self) -> Widget:
        """What takes the keys: the input or the list of choices."""
        return self.query("Input, Select").first(Widget)

    def judge(self, error: str | None, inactive: str | None, changed: bool) -> None:
        """Show what is wrong, whether the field matters, whether it was changed."""
        if (error, inactive, changed) == self._judged:
            return  # each label that is written anew lays out the whole form
        self._judged = error, inactive, changed
        self._show_verdict()

    def on_mount(self) -> None:
        if self._judged != (None, None, False):
            self._show_verdict()

    def _show_verdict(self) -> None:
        """Nothing is there to show it while the field is not composed: it never is where the form is left at once."""
        if not self.query(".fault"):
            return
        error, inactive, changed = self._judged
        label = self.query_one(".fault", Label)
        label.update(Text(error or ""))
        label.display = bool(error)
        self.set_class(inactive is not None, "-inactive")
        note = inactive or ("changed" if changed else "")
        self.query_one(".field-note", Label).update(Text(note))

    def put(self, text: str) -> None:
        """Show another value."""
        self.text = text
        for field in self.query(Input):
            field.value = text
        for choice in self.query(Select):
            choice.value = text

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._tell(event.value)

    @on(Select.Changed)
    def _chosen(self, event: Select.Changed) -> None:
        event.stop()
        self._tell(str(event.value))

    def _tell(self, text: str) -> None:
        if text != self.text:
            self.text = text
            self.post_message(self.Edited(self.spec.key, text))
