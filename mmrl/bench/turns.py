"""Measures cases in turns, each in a process of its own, beside the same calibration.

Whatever else the machine does meets all cases of a group alike: a turn measures the calibration, then every case once,
here and, with another commit, there. Ratios are taken within a turn, and their median counts.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Protocol

from mmrl.bench.cases import CALIBRATION, Case, Ratio
from mmrl.plots.output import say
from mmrl.runs.processes import environment, python

Turn = dict[str, float]
"""Figures of one turn by name."""


class CaseFailed(Exception):
    """A case could not be measured; the message is its last line, or what is absent."""


class Measured(Protocol):
    """A case that is ready to be measured."""

    def measure(self) -> Turn:
        """Its figures, measured once."""

    def close(self) -> None:
        """Let go of what it holds."""


class Worker:
    """The process of a case; getting ready may take as long as compiling does."""

    def __init__(
        self, case: Case, seconds: float, command: Sequence[str] = (), variables: Mapping[str, str] | None = None
    ) -> None:
        """Work is repeated for so many `seconds`; `command` and `variables` are those of another commit."""
        self.process = subprocess.Popen(
            [*(command or python("mmrl.bench.worker")), case.name, str(seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**(environment() if variables is None else variables), **case.variables},
        )
        try:
            absent = self._answer().get("absent")
            if absent:
                raise CaseFailed(absent)
        except BaseException:
            self.close()
            raise

    def measure(self) -> Turn:
        """Its figures, measured once."""
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout and self.process.stderr
        line = self.process.stdout.readline()
        if not line:
            lines = self.process.stderr.read().strip().splitlines()
            raise CaseFailed(lines[-1] if lines else f"ended with {self.process.wait()}")
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        """End the process: at the end of its input, and what hangs is killed."""
        try:
            self.process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()


Start = Callable[[Case], Measured]


@dataclass
class Turns:
    """What was measured: by place ("here", "there") the turns of each group, and what could not be, with the reason."""

    by_group: dict[str, dict[str, list[Turn]]] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)


def measure(cases: Iterable[Case], places: Mapping[str, Start], repeats: int, note: Callable[[str], None]) -> Turns:
    """Measure all cases, group by group, in every place."""
    turns = Turns()
    cases = list(cases)
    for group in dict.fromkeys(case.group for case in cases):
        note(f"{group} ...")
        members = [case for case in cases if case.group == group]
        turns.by_group[group] = _group(members, places, repeats, turns.failed)
    return turns


def _group(
    cases: list[Case], places: Mapping[str, Start], repeats: int, failed: dict[str, str]
) -> dict[str, list[Turn]]:
    found: dict[str, list[Turn]] = {place: [] for place in places}
    with ExitStack() as open_ones:
        ready: dict[tuple[str, str], Measured] = {}
        for case in (*CALIBRATION, *cases):
            for place, start in places.items():
                if case in CALIBRATION and ready.get(("here", case.name)):
                    continue  # it is the same everywhere
                try:
                    ready[place, case.name] = worker = _ready(start, case)
                except CaseFailed as reason:
                    failed[_named(case, place)] = str(reason)
                    continue
                open_ones.callback(worker.close)
        for number in range(max(case.repeats or repeats for case in cases)):
            turn: dict[str, Turn] = {place: {} for place in places}
            for case in (*CALIBRATION, *cases):
                if number >= (case.repeats or repeats):
                    continue
                # of two commits, neither is always the first
                for place in list(places)[:: 1 if number % 2 == 0 else -1]:
                    if (place, case.name) in ready:
                        try:
                            turn[place] |= ready[place, case.name].measure()
                        except (CaseFailed, OSError, ValueError) as reason:
                            failed[_named(case, place)] = str(reason)
                            del ready[place, case.name]
            for place in places:
                found[place].append(turn[place])
    return found


def _ready(start: Start, case: Case) -> Measured:
    """A case ready to be measured; where memory is, a second one, since to compile takes memory of its own."""
    if "MB" in case.figures.values():
        start(case).close()
    return start(case)


def _named(case: Case, place: str) -> str:
    return case.name if place == "here" else f"{case.name} ({place})"


def with_ratios(turns: Sequence[Turn], ratios: Sequence[Ratio]) -> list[Turn]:
    """The turns, each with those ratios whose two figures it has."""
    return [
        turn | {r.name: turn[r.over] / turn[r.under] for r in ratios if r.over in turn and turn.get(r.under, 0.0)}
        for turn in turns
    ]


def narrate(text: str) -> None:
    """A line on the standard error."""
    say(text, sys.stderr)
