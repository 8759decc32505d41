"""`mmrl runs attach`: the live view of a run that another process trains. It only reads; leaving it stops nothing."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mmrl.display.choose import open_view
from mmrl.runs import config_file, listing
from mmrl.runs.atomic import open_plain
from mmrl.runs.following import command, lines, shown_path, steps
from mmrl.runs.lock import is_locked
from mmrl.runs.status import word
from mmrl.settings.errors import ConfigError

EVERY = 0.2  # seconds from one look at the run to the next


def attach(run: str, results: str, as_json: bool) -> None:
    """Show a run until it ends or Ctrl-C is pressed."""
    info = listing.find_run(run, results)
    folder = Path(info.folder)
    if not is_locked(folder):
        look = command(["plot", info.name], folder.parent)
        raise ConfigError(f"run {info.name} is not being trained (it is {word(info.state)}): look at it with {look}")
    metrics = Metrics(folder / listing.METRICS)
    view = open_view(as_json)
    try:
        with view:
            view.start(config_file.read_config(folder).config, folder, info.target)
            view.past(list(metrics.new()))
            while training := is_locked(folder):
                for record in metrics.new():
                    view.epoch(record)
                time.sleep(EVERY)
            for record in metrics.new():
                view.epoch(record)
            info = listing.describe(folder)
            where = shown_path(folder)
            view.finish({"run": info.name, "folder": where, "state": info.state, "epochs": info.epoch})
    except KeyboardInterrupt:
        training = True
        view.note(f"{info.name} goes on training")
    state = "running" if training else info.state
    for line in lines(steps(folder, state, info.epoch, target=info.target, lr=info.lr or 0.0)):
        view.note(line)


class Metrics:
    """Reads the records of metrics.jsonl as they are appended."""

    def __init__(self, path: Path) -> None:
        self.path, self._read = path, 0

    def new(self) -> Iterator[dict[str, Any]]:
        """The records since the last call; from the start again where the file has become shorter."""
        try:
            file = os.fdopen(open_plain(self.path), "rb")
        except FileNotFoundError:
            return
        with file:
            size = os.fstat(file.fileno()).st_size
            self._read = 0 if size < self._read else self._read
            file.seek(self._read)
            data = file.read(size - self._read)
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict):
                yield record
