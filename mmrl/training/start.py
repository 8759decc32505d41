"""From settings to a training run: find, resume, expand or create its folder, and refuse invalid changes."""

from __future__ import annotations

from pathlib import Path

from mmrl.runs.config_file import edited, in_words
from mmrl.runs.memory import MUCH, demand, require, size
from mmrl.settings.errors import ConfigError
from mmrl.settings.market_file import MarketFile
from mmrl.settings.model import Config
from mmrl.settings.sources import StoredConfig, replaced
from mmrl.training.loop import TrainingProcess, what_next
from mmrl.training.ranks import SETTLE, ranks
from mmrl.training.reproducible import pinned
from mmrl.training.resume import check_resume, check_sound
from mmrl.training.signals import Interruption
from mmrl.training.view import View


def train(
    config: Config,
    origins: dict[str, str],
    *,
    load: str | None,
    expand: int,
    view: View,
    force: bool = False,
    fitted: MarketFile | None = None,
) -> int:
    """Train in a run folder and show it in `view`; returns the exit code.

    `load` is the folder of a run to resume; without it an unfinished run of the same settings is
    resumed, else a new folder is created. `expand` is the number of epochs to add to the target first. A new run
    keeps the file in which its market was `fitted` to data; a resumed one must still have it.
    What needs more memory than there is is refused unless `force`.
    Raises RunBusy, ConfigError and BrokenRun before anything is changed.
    """
    from mmrl.runs import config_file, listing, store
    from mmrl.runs.atomic import refuse_links
    from mmrl.runs.lock import RunLock
    from mmrl.runs.status import write_status

    if not force:
        require(config)
    check_engine(config)
    folder = Path(load) if load else store.matching(config)
    if folder and not load:
        config = config_file.kept_edits(config_file.read_config(folder), config)
    resumed = folder is not None
    # the lock is held to the end: of two processes that start the same run, the second one gets RunBusy
    with RunLock(folder).take() if folder else store.begin(config, origins, fitted) as lock:
        if resumed:
            refuse_links(lock.folder)
            store.check_market(lock.folder)
            check_resume(lock.folder, config_file.read_config(lock.folder).config, config, expand)
            check_sound(lock.folder)
            if expand:
                store.expand_held(lock, expand)
                config = replaced(config, {"training.ne": config_file.read_config(lock.folder).config.training.ne})

        def before_exit() -> None:
            write_status(lock.folder, "interrupted")
            view.__exit__(None, None, None)
            for line in what_next(lock.folder, config, "interrupted", listing.describe(lock.folder).epoch):
                view.note(line)

        def on_first() -> None:
            view.note("stopping after this epoch" + ("" if settle else "; press Ctrl-C again to stop at once"))

        settle = SETTLE if ranks() > 1 else 0.0
        with Interruption(on_first, before_exit, settle).installed() as interruption, view:
            needed = demand(config)
            if needed.memory > MUCH:
                view.note(f"about {size(needed.memory)} of memory is needed: to need less, {needed.remedy}")
            if resumed:
                view.note(f"resuming {lock.folder.name}{_edits(config_file.read_config(lock.folder), load)}")
                if listing.describe(lock.folder).epoch >= config.training.ne:
                    view.note(
                        f"{lock.folder.name} is already at its target of {config.training.ne} epochs: add --expand N"
                    )
                stored = config_file.read_config(lock.folder)
                if replaced(stored.config, {"run.results": config.run.results, "run.name": config.run.name}) != config:
                    config_file.write_config(lock.folder, config, origins, stored.meta)
            return TrainingProcess(config, origins, lock.folder, view, interruption).work()


def _edits(stored: StoredConfig, load: str | None) -> str:
    """What a run that the settings of its beginning have found keeps of what was changed while it trained."""
    kept = "" if load else in_words(stored.config, edited(stored))
    return f" with {kept} as changed while it trained: --load takes other values" if kept else ""


def check_engine(config: Config) -> None:
    """Refuse a device or engine that is not available, before anything is created."""
    from mmrl.rollout.devices import resolve

    if config.run.reproducible and not pinned():
        raise ConfigError(
            "run.reproducible = true must be known before Python starts: train with the command mmrl train"
        )
    try:
        resolve(config)
    except ValueError as error:
        raise ConfigError(str(error)) from None
