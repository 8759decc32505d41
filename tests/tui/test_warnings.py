"""What training noticed stands below the head of its run, in every tab, and comes while it trains."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.tui.conftest import drive, make_run, press, record, screen_text, select

TEXT = "no order was filled in 4 trajectories: quote nearer to the mid, or more (--delta-centre)"


def test_a_warning_appears_while_the_run_is_watched(results: Path) -> None:
    folder = make_run(results, "live", epochs=12, state="running")

    async def script(app: Any, pilot: Any) -> None:
        select(app, folder)
        await press(app, pilot, "enter")
        assert "no order" not in screen_text(app)
        with (folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(record(13, warnings={"fills": TEXT})) + "\n")
        await press(app, pilot)
        for key in ("1", "5"):
            await press(app, pilot, key)
            assert f"! epoch 13: {TEXT}" in " ".join(screen_text(app).split())
        assert not app.screen.metrics.events

    drive(results, script)
