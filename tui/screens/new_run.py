"""The form for a new run, generated from the declarations of the settings."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, VerticalScroll
from textual.fuzzy import Matcher
from textual.timer import Timer
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from mmrl.plots.numbers import compact
from mmrl.plots.text import duration
from mmrl.runs import config_file, machine, memory
from mmrl.settings.fields import NAME, FieldSpec
from mmrl.settings.model import GROUPS
from mmrl.settings.preset_about import about, all_about
from mmrl.settings.sources import StoredConfig

from .. import processes
from ..form import Draft, demand_of
from ..messages import StartTraining
from ..session import Session
from ..widgets.fields import FieldRow
from ..widgets.keybar import KeyBar
from .base import Base
from .dialogs import Choose

NO_PRESET = "(defaults)"
SEARCH_PAUSE = 0.08  # seconds after the last letter
OF_ANOTHER_MARKET = 0.3  # what a find counts whose market is not chosen
LINES_OF_A_FIELD = 3  # at least; fields that find room are there with the first frame, the others follow,
A_FEW = 3  # so many between two frames
IN_WORDS = 380  # letters about a preset, which fit below the choices in the smallest terminal


class NewRun(Base):
    """Choose settings, see the command for them, start it in the background."""

    HELP_TITLE = "New run"
    BINDINGS = [
        Binding("ctrl+s", "start(False)", "Start", priority=True),
        Binding("ctrl+w", "start(True)", "Start and watch", priority=True),
        Binding("ctrl+o", "preset", "Preset", priority=True),
        Binding("ctrl+f", "search", "Search", priority=True),
        Binding("ctrl+r", "start_over", "Start over", priority=True, tooltip="Start over, or bring the changes back"),
        Binding("ctrl+y", "copy", "Copy command", priority=True),
        Binding("escape", "leave", "Back", tooltip="Back; the changes are kept"),
        Binding("q", "close", "Back", show=False, tooltip="Back to the list; the changes are kept"),
        Binding("f1", "help", "Help"),
    ]

    def __init__(self, session: Session, source: Path | None = None) -> None:
        super().__init__(session)
        self.origin = self.source = source
        self.draft = session.drafts.get(source) or Draft()
        self.kept: Draft | None = None  # the changes that starting over, or another preset, took away
        self.group = "market"
        self._found: Timer | None = None  # shows what the search finds
        self._verdict: tuple[dict[str, str], dict[str, str], dict[str, Any]] = {}, {}, {}
        self._below: list[FieldSpec] = []  # settings whose fields are still to come, as they are out of sight

    def compose(self) -> ComposeResult:
        yield Static(id="form-head", classes="bar", markup=False)
        yield Static(id="preset-about", markup=False)
        yield Input(placeholder="search settings by name or meaning", id="search", compact=True)
        with Horizontal(id="form"):
            yield OptionList(id="groups")
            yield VerticalScroll(id="fields", can_focus=False)
        yield Static(id="command", markup=False)
        yield Static(id="estimate", classes="bar", markup=False)
        yield KeyBar(self.offers)
        yield from self.too_small()

    async def on_mount(self) -> None:
        if self.draft.touched:
            self.toast("your changes are back; ctrl+r starts over")
        else:
            self._start_over()
        self._list_groups()
        self.set_focus(self.query_one("#groups", OptionList))
        await self._show()

    def _start_over(self) -> None:
        """A draft of the run to be copied, else of the usual preset."""
        self.draft, self.source = Draft(), self.origin
        self.draft.start_from("quickstart")
        if self.origin is not None:
            stored = self.attempt(lambda: config_file.read_config(self.origin))  # type: ignore[arg-type]
            if isinstance(stored, StoredConfig):
                self.draft.start_from_run(stored.config)

    def _list_groups(self) -> None:
        """List the groups with the numbers of changes and errors in them."""
        errors, changed = self.draft.errors(), self.draft.changed()
        options = self.query_one("#groups", OptionList)
        prompts = []
        for group in GROUPS:
            count = sum(key.startswith(f"{group}.") for key in changed)
            faults = sum(key.startswith(f"{group}.") for key in errors)
            text = Text(f"{group.title():<9}")
            text.append(f" {count}" if count else "")
            text.append(f" !{faults}" if faults else "", style=self.app.theme_variables["error"])
            prompts.append(text)
        if options.option_count != len(prompts):
            options.clear_options()
            options.add_options([Option(prompt, id=group) for prompt, group in zip(prompts, GROUPS, strict=True)])
            options.highlighted = 0
        else:
            for number, prompt in enumerate(prompts):
                options.replace_option_prompt_at_index(number, prompt)

    async def _show(self) -> None:
        """Show the fields of the group, or those that match the search."""
        if self._found is not None:
            self._found.stop()
            self._found = None
        wanted = self.query_one("#search", Input).value.strip()
        if wanted:
            matcher, whole = Matcher(wanted), wanted.lower()

            def rate(spec: FieldSpec) -> float:
                exact = (
                    8.0 * (spec.name == whole) + 4.0 * spec.name.startswith(whole) + 2.0 * (whole in spec.help.lower())
                )
                usable = not spec.markets or self.draft.market in spec.markets
                return (exact + matcher.match(spec.key)) * (1.0 if usable else OF_ANOTHER_MARKET)

            rated = [(rate(spec), spec) for spec in self.draft.specs]
            matches = sorted((pair for pair in rated if pair[0] > 0), key=lambda pair: -pair[0])
            specs = [spec for _, spec in matches[:20]]
        else:
            specs = [spec for spec in self.draft.own() if spec.group == self.group]
        box = self.query_one("#fields", VerticalScroll)
        within = [node for node in self.focused.ancestors if isinstance(node, FieldRow)] if self.focused else []
        at_once = (
            len(specs) if within else self.size.height // LINES_OF_A_FIELD + 1
        )  # the focus goes to a field that may stand anywhere
        self._below = specs[at_once:]
        rows = self._rows(specs[:at_once], bool(wanted))
        with self.app.batch_update():
            await box.remove_children()
            if rows:
                await box.mount(*rows)
            else:
                await box.mount(Static(Text("no setting matches"), classes="hint"))
            box.scroll_home(animate=False)
        if within:
            same = [row for row in rows if row.spec.key == within[0].spec.key]
            self.set_focus((same or rows)[0].entry() if rows else self.query_one("#search", Input))
        self._update()
        self.call_after_refresh(self._show_more, self._below)

    def _rows(self, specs: list[FieldSpec], found: bool) -> list[FieldRow]:
        return [FieldRow(spec, self.draft.texts[spec.key], found=found) for spec in specs]

    async def _show_more(self, below: list[FieldSpec]) -> None:
        """Add the fields out of sight, a few between two frames, unless others are shown by now."""
        if below is not self._below or not below or not self.is_attached:
            return
        part, rest = below[:A_FEW], below[A_FEW:]
        self._below = rest
        rows = self._rows(part, bool(self.query_one("#search", Input).value.strip()))
        await self.query_one("#fields", VerticalScroll).mount(*rows)
        if self._below is rest and self.is_attached:  # a search, or leaving, takes the fields away meanwhile
            self._judge(rows)
            self.call_after_refresh(self._show_more, rest)

    def _judge(self, rows: Iterable[FieldRow]) -> None:
        """Show in the fields what is wrong, what has no effect, and what was changed."""
        errors, inactive, changed = self._verdict
        for row in rows:
            key = row.spec.key
            row.judge(errors.get(key), inactive.get(key), key in changed)

    def _update(self) -> None:
        """Show errors, fields that do not apply, the command, the estimate."""
        self._verdict = errors, _, changed = self.draft.errors(), self.draft.inactive(), self.draft.changed()
        self._judge(self.query(FieldRow))
        self._list_groups()
        command = processes.shown(self.draft.arguments(), self.session.runs.results)
        self.query_one("#command", Static).update(f"$ {command}")
        source = self.draft.preset or (f"copy of {self.source.name}" if self.source else NO_PRESET)
        self.query_one("#preset-about", Static).update(about(self.draft.preset).text if self.draft.preset else "")
        self.query_one("#form-head", Static).update(f"New run  ·  from {source}  ·  {len(changed)} changed")
        text = self._estimate()
        if errors:
            key, fault = next(iter(errors.items()))
            text = f"{key}: {fault}"
        self.query_one("#estimate", Static).update(text)

    def _estimate(self) -> str:
        """Steps, time at the speed of the runs on the same market, and memory."""
        found = demand_of(self.draft)
        if found is None:
            return ""
        market = self.draft.texts["market.name"]
        speeds = [
            entry.info.steps_per_second
            for entry in self.session.runs.entries.values()
            if entry.info.market == market and entry.info.steps_per_second
        ]
        text = f"at most {compact(found.steps)} steps"
        if speeds:
            text += f" · about {duration(found.steps / statistics.median(speeds))} at the speed of earlier runs"
        available = machine.memory()
        more = f", more than the {memory.size(available)} there are" if found.memory > available else ""
        return f"{text} · about {memory.size(found.memory)}{more}"

    @on(OptionList.OptionHighlighted, "#groups")
    async def _group(self, event: OptionList.OptionHighlighted) -> None:
        if event.option.id and event.option.id != self.group:
            self.group = event.option.id
            with self.prevent(Input.Changed):
                self.query_one("#search", Input).value = ""
            await self._show()

    @on(OptionList.OptionSelected, "#groups")
    def _into(self) -> None:
        found = self.query(FieldRow)
        if found:
            self.set_focus(found.first().entry())

    @on(Input.Changed, "#search")
    async def _searched(self) -> None:
        """Show what is found a moment after the last letter, or when the field is left."""
        if self._found is not None:
            self._found.stop()
        self._found = self.set_timer(SEARCH_PAUSE, self._show)

    async def on_descendant_blur(self, event: events.DescendantBlur) -> None:
        if event.widget.id == "search" and self._found is not None:
            await self._show()

    @on(Input.Submitted, "#search")
    async def _search_done(self) -> None:
        if self._found is not None:
            await self._show()
        self._into()

    @on(FieldRow.Edited)
    async def _edited(self, event: FieldRow.Edited) -> None:
        self.draft.texts[event.key] = event.text
        if event.key == NAME and not self.query_one("#search", Input).value:
            await self._show()  # another market has other settings
        self._update()

    def action_search(self) -> None:
        self.set_focus(self.query_one("#search", Input))

    def action_copy(self) -> None:
        self.app.copy_to_clipboard(processes.shown(self.draft.arguments(), self.session.runs.results))
        self.toast("copied the command")

    def action_preset(self) -> None:
        async def chosen(name: str | None) -> None:
            if name:
                self._put_aside()
                self.source, self.draft = None, Draft()
                self.draft.start_from("" if name == NO_PRESET else name)
                await self._show()

        names = [*(preset.name for preset in all_about()), NO_PRESET]
        self.app.push_screen(Choose("Start from", names, self.draft.preset, in_words), chosen)

    def action_start(self, watch: bool) -> None:
        errors = self.draft.errors()
        if errors:
            key, fault = next(iter(errors.items()))
            self.toast(f"{key}: {fault}", "error")
            return
        drafts, origin = self.session.drafts, self.origin
        drafts[origin] = self.draft  # until training has begun
        self.app.pop_screen()
        started = lambda: drafts.pop(origin, None)  # noqa: E731
        self.app.post_message(StartTraining(self.draft.arguments(), self.session.runs.results, watch, started))

    async def action_start_over(self) -> None:
        before = self.kept
        if self._put_aside():
            self._start_over()
        elif before is not None:
            self.draft, self.kept = before, None
        else:
            self.toast("nothing is changed")
            return
        await self._show()

    def _put_aside(self) -> bool:
        """Keep the changes for ctrl+r; False if there are none."""
        if self.draft.touched:
            self.kept = self.draft
            self.toast("ctrl+r brings your changes back")
        return self.draft.touched

    def action_leave(self) -> None:
        search = self.query_one("#search", Input)
        focused = self.app.focused
        if search.value:
            search.value = ""
        elif focused is not None and focused.id != "groups":
            self.set_focus(self.query_one("#groups", OptionList))
        else:
            self.action_close()

    def action_close(self) -> None:
        self.session.drafts.pop(self.origin, None)
        if self.draft.touched:
            self.session.drafts[self.origin] = self.draft
            self.toast(f"your changes are kept: {'n' if self.origin is None else 'd'} brings them back")
        self.app.pop_screen()

    def home(self) -> Widget | None:
        return self.query_one("#groups", OptionList)


def in_words(preset: str) -> str:
    """What a preset is for and what it sets."""
    if preset == NO_PRESET:
        return "Every setting at its default."
    found = about(preset)
    text = f"{found.brief}\nMarket {found.market}, sets "
    values = [f"{key.partition('.')[2]} {value}" for key, value in found.sets.items() if len(value) < 24]
    while len(text) + len(", ".join(values)) > IN_WORDS:
        values.pop()
    more = len(found.sets) - len(values)
    return text + ", ".join(values) + (f" and {more} more." if more else ".")
