"""The records of runs as files of other programs: TensorBoard, CSV, Parquet."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from mmrl.plots.output import say
from mmrl.runs import groups
from mmrl.runs.atomic import durable_write
from mmrl.runs.config_file import read_config
from mmrl.runs.history import left_out, read_metrics
from mmrl.runs.listing import METRICS, find_run
from mmrl.runs.metrics import KEYS
from mmrl.runs.outputs import check_output
from mmrl.settings.errors import ConfigError

FORMATS = ("--tensorboard", "--csv", "--parquet")
Record = dict[str, Any]


def chosen(names: Sequence[str], results: str) -> list[tuple[Path, list[Record]]]:
    """Folders and records of the runs, and of the runs of groups. ConfigError where one has no epoch yet."""
    found = []
    for name in names:
        for info in groups.members(name, results) or [find_run(name, results)]:
            records = read_metrics(Path(info.folder) / METRICS)
            if told := left_out(Path(info.folder)):
                say(f"{info.name}: {told}", sys.stderr)
            if not records:
                raise ConfigError(f"run {info.name} has not finished an epoch: train it first")
            found.append((Path(info.folder), records))
    return found


def rows_of(runs: Sequence[tuple[Path, list[Record]]]) -> tuple[list[str], list[Record]]:
    """Columns, and a row an epoch with the name of its run; what is neither number nor text stands as JSON."""
    rows = [{"run": folder.name, **record} for folder, records in runs for record in records]
    known = [key for key in KEYS if any(key in row for row in rows)]
    others = dict.fromkeys(key for row in rows for key in row if key not in KEYS and key not in ("run", "epoch"))
    columns = ["run", "epoch", *(key for key in known if key != "epoch"), *others]
    return columns, [{key: _plain(row.get(key)) for key in columns} for row in rows]


def to_csv(runs: Sequence[tuple[Path, list[Record]]], path: Path) -> None:
    """Write a CSV file; what is not known is an empty cell."""
    columns, rows = rows_of(runs)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    durable_write(path, text.getvalue().encode())


def to_parquet(runs: Sequence[tuple[Path, list[Record]]], path: Path) -> None:
    """Write a Parquet file with the same columns; needs polars."""
    import polars

    columns, rows = rows_of(runs)
    content = io.BytesIO()
    polars.DataFrame(rows, schema=columns, infer_schema_length=None, strict=False).write_parquet(content)
    durable_write(path, content.getvalue())


def to_tensorboard(runs: Sequence[tuple[Path, list[Record]]], place: Path) -> None:
    """Write event files, a folder for each run; those that are there are replaced."""
    from mmrl.training.trackers import TensorBoard, numbers_of

    for folder, records in runs:
        for old in _logs(place / folder.name):
            old.unlink()
        tracker = TensorBoard(read_config(folder).config, place / folder.name, 0)
        for record in records:
            tracker.log(int(record.get("epoch", 0)), numbers_of(record))
        tracker.close()


WRITERS = {"--tensorboard": to_tensorboard, "--csv": to_csv, "--parquet": to_parquet}


def refuse_logs(runs: Sequence[tuple[Path, list[Record]]], place: Path) -> None:
    """Raise ConfigError where a run has event files already."""
    for folder, _ in runs:
        if _logs(place / folder.name):
            raise ConfigError(
                f"--tensorboard {place}: {folder.name} has event files there: name another folder, or add --force"
            )


def _logs(folder: Path) -> list[Path]:
    return sorted(folder.glob("events.out.tfevents.*"))


def check(flag: str, place: str, force: bool) -> None:
    """Refuse a place that cannot be written, or whose package is missing, before anything is read."""
    needed = {"--tensorboard": ("tensorboard", "tensorboard"), "--parquet": ("polars", "data")}.get(flag)
    if needed and find_spec(needed[0]) is None:
        raise ConfigError(f"{flag} needs the package {needed[0]}: pip install 'market-making-rl[{needed[1]}]'")
    if flag != "--tensorboard":
        check_output(flag, place, force)
        return
    folder = Path(place)
    if not place.strip() or (folder.exists() and not folder.is_dir()):
        raise ConfigError(f"{flag} {place!r} is no folder: name one")
    if not folder.parent.is_dir():
        raise ConfigError(f"{flag} {place}: there is no folder {folder.parent}")


def _plain(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list) else value
