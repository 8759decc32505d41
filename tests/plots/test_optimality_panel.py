"""Optimality as a fourth live panel of runs that are graded, and of no others."""

from __future__ import annotations

import numpy as np
import pytest

from mmrl.display.frame import Frame
from mmrl.display.progress import Progress
from mmrl.plots.charts import PANELS, Columns, metric_line, panels_of, training_figure


def records(graded: bool) -> list[dict[str, float]]:
    rows = []
    for epoch in range(1, 31):
        row: dict[str, float] = {"epoch": epoch, "trajectories": 100}
        for name in ("reward", "inventory", "spread"):
            row |= {f"{name}_mean": epoch / 10, f"{name}_std": 1.0}
        if graded and epoch % 10 == 0:
            row["optimality"] = 0.9 + epoch / 1000
        rows.append(row)
    return rows


def test_the_line_leads_from_grade_to_grade() -> None:
    line = metric_line(records(True), "optimality")
    assert np.asarray(line.x).tolist() == [10, 20, 30] and np.asarray(line.y) == pytest.approx([91, 92, 93])
    assert panels_of(Columns(records(False))) == PANELS == panels_of([])
    assert panels_of(Columns(records(True))) == (*PANELS, "optimality")


@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 36), (200, 60), (40, 30)])
def test_live_view_with_and_without_grades(width: int, height: int) -> None:
    for graded in (False, True):
        progress = Progress()
        progress.records += records(graded)
        rows = Frame(progress).rows(width, height, False)
        text = "\n".join(rows)
        assert len(rows) == height and all(len(row) == width for row in rows)
        assert ("optimality  93.00 %" in text) == graded
        assert "reward" in text and "inventory" in text and "spread" in text
    assert "waiting" not in training_figure(records(True), panels_of(records(True)), width, height, False)
