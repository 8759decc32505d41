"""Any keys in any order: no traceback, whatever state the runs are in."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest

from mmrl.runs.lock import RunLock
from tests.tui.conftest import drive, make_run, record
from tui.screens.help import owners

KEYS = (
    *"abcdefghijklmnopqrstuvwxyz0123456RSOYy/?<>+-,.[]",
    *("enter", "escape", "space", "delete", "up", "down", "left", "right", "tab", "home", "end"),
    *("ctrl+f", "ctrl+o", "ctrl+s", "ctrl+w", "ctrl+p", "f10"),
)
NAMES = {"/": "slash", "?": "question_mark", "<": "less_than_sign", ">": "greater_than_sign", "+": "plus"}
NAMES |= {"-": "minus", ",": "comma", ".": "full_stop", "[": "left_square_bracket", "]": "right_square_bracket"}


@pytest.mark.parametrize("seed", range(2))
def test_random_keys_on_living_and_dying_runs(results: Path, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tui.processes.start", lambda arguments, root: {"pid": 1})
    chance = random.Random(seed)
    live = make_run(results, "live", epochs=12, state="running")
    size = chance.choice([(80, 24), (120, 36), (200, 60), (45, 13)])

    async def script(app: Any, pilot: Any) -> None:
        for number in range(40):
            key = chance.choice(KEYS)
            await pilot.press(NAMES.get(key, key))
            if number % 10 == 3:
                with (live / "metrics.jsonl").open("a") as file:
                    file.write(json.dumps(record(13 + number)) + ("\n" if number % 20 == 3 else ""))
            if number == 15:
                (results / "beta" / "metrics.jsonl").write_bytes(b"\x00\xff{")
                (results / "beta" / "config.toml").write_bytes(b"[[[")
            if number == 28:
                shutil.rmtree(results / "gamma", ignore_errors=True)

    with RunLock(live):
        drive(results, script, size)


def test_every_key_of_every_screen_has_an_action(results: Path) -> None:
    async def script(app: Any, pilot: Any) -> None:
        for keys in (("escape",), ("enter",), ("2",), ("3",), ("4",), ("escape",), ("n",)):
            for key in keys:
                await pilot.press(key)
            await pilot.pause()
            for node in owners(app.screen):
                if not type(node).__module__.startswith("tui."):
                    continue
                for _, binding in node._bindings:
                    name = binding.action.partition("(")[0]
                    if "." not in name:
                        assert hasattr(node, f"action_{name}") or hasattr(app, f"action_{name}"), (node, binding)

    drive(results, script)
