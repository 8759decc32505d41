"""`mmrl export`: what runs recorded, or the policy of a run, for other programs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from mmrl.commands import export_metrics as metrics
from mmrl.plots.text import printable
from mmrl.settings.errors import ConfigError


def export(
    runs: Sequence[str],
    results: str,
    records: Mapping[str, str | None],
    policy: Mapping[str, str | None],
    epoch: str,
    force: bool,
    as_json: bool,
) -> None:
    """Write the metrics of runs, or the policy of one, as each format (by its name) that has a place."""
    if any(file is not None for file in policy.values()):
        from mmrl.commands.export_policy import export as write_policy

        if len(runs) > 1:
            raise ConfigError(f"a policy is of one run, {len(runs)} are given: name one")
        write_policy(runs[0], dict(policy), epoch, force, results, as_json)
        return
    wanted = [(f"--{name}", place) for name, place in records.items() if place is not None]
    if not wanted:
        flags = [*metrics.FORMATS, *(f"--{name}" for name in policy)]
        raise ConfigError(f"nothing to export to: add {' or '.join(flags)}")
    for flag, place in wanted:
        metrics.check(flag, place, force)
    found = metrics.chosen(runs, results)
    if records.get("tensorboard") and not force:
        metrics.refuse_logs(found, Path(records["tensorboard"] or ""))
    for flag, place in wanted:
        metrics.WRITERS[flag](found, Path(place))
    epochs = sum(len(rows) for _, rows in found)
    if as_json:
        written = {flag.removeprefix("--"): str(Path(place)) for flag, place in wanted}
        print(json.dumps({"runs": [folder.name for folder, _ in found], "epochs": epochs, "written": written}))
        return
    for _, place in wanted:
        print(f"wrote {printable(Path(place))}: {epochs} epochs of {len(found)} run{'s' if len(found) > 1 else ''}")
