"""`mmrl export`: what runs recorded, for other programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from mmrl.commands import export_metrics as metrics
from mmrl.plots.text import printable
from mmrl.settings.declare import ConfigError


def export(
    runs: Sequence[str],
    results: str,
    tensorboard: str | None,
    csv: str | None,
    parquet: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write the metrics of runs as each format that is asked for."""
    wanted = [
        (flag, Path(place)) for flag, place in zip(metrics.FORMATS, (tensorboard, csv, parquet), strict=True) if place
    ]
    if not wanted:
        raise ConfigError(f"nothing to export to: add {' or '.join(metrics.FORMATS)}")
    for flag, place in wanted:
        metrics.check(flag, place, force)
    found = metrics.chosen(runs, results)
    if tensorboard and not force:
        metrics.refuse_logs(found, Path(tensorboard))
    for flag, place in wanted:
        metrics.WRITERS[flag](found, place)
    epochs = sum(len(records) for _, records in found)
    if as_json:
        written = {flag.removeprefix("--"): str(place) for flag, place in wanted}
        print(json.dumps({"runs": [folder.name for folder, _ in found], "epochs": epochs, "written": written}))
        return
    for _, place in wanted:
        print(f"wrote {printable(place)}: {epochs} epochs of {len(found)} run{'s' if len(found) > 1 else ''}")
