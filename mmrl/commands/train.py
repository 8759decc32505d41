"""From resolved settings to a training process: in the foreground with a view, or detached."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmrl.runs.following import CALLED, called, command, lines, shown_path, steps
from mmrl.runs.names import run_folder
from mmrl.settings.errors import ConfigError, note
from mmrl.settings.fields import NAME, values_of
from mmrl.settings.market_file import MarketFile, read_market_file
from mmrl.settings.model import Config
from mmrl.settings.sources import dump_toml, fitted_preset, refuse_without_effect, replaced, resolve
from mmrl.settings.upgrade import current
from mmrl.training.ranks import end_with_parent, rank, ranks, see_one_gpu

if TYPE_CHECKING:
    from mmrl.training.view import View

PATIENCE = 30.0
"""Seconds that a process in the background has to begin its run."""
LIKE_A_DISCOUNT = 0.9
"""A --gamma from here to 1 is what other libraries call the discount factor."""


def prepare(
    settings: Mapping[str, Any],
    config_file: str | None,
    preset: str | None,
    load: str | None,
    expand: int | None,
    environ: Mapping[str, str],
    market_file: str | None = None,
    force: bool = False,
) -> tuple[Config, dict[str, str], Path | None, MarketFile | None]:
    """Settings, their origins, the folder of the run to go on with, and the market file; creates nothing.

    More memory than there is is refused unless `force`.
    """
    config, origins, folder, fitted = _settings(settings, config_file, preset, load, expand, environ, market_file)
    if "market.gamma" in settings and LIKE_A_DISCOUNT <= config.market.gamma < 1:
        note(f"--gamma {config.market.gamma:g} is a risk aversion; the discount factor is --discount")
    if not force:
        from mmrl.runs import memory  # loads numpy, which a dry run need not

        memory.require(config)
    return config, origins, folder, fitted


def _settings(
    settings: Mapping[str, Any],
    config_file: str | None,
    preset: str | None,
    load: str | None,
    expand: int | None,
    environ: Mapping[str, str],
    market_file: str | None,
) -> tuple[Config, dict[str, str], Path | None, MarketFile | None]:
    if expand is not None and load is None:
        raise ConfigError("--expand needs the run it is meant for: add --load RUN")
    if load is None:
        # an empty name too, as of a variable that is not set, which no file has
        fitted = fitted_preset(preset) if preset is not None else None
        fitted = read_market_file(market_file) if market_file is not None else fitted
        config, origins = resolve(settings, config_file, preset, environ, None if market_file is None else fitted)
        if config.run.name:
            run_folder(config.run.results, config.run.name)  # refuses a name that no run can have
        return config, origins, None, fitted
    if (config_file, preset, market_file) != (None, None, None):
        raise ConfigError("--load takes the settings of the run: drop --config, --market-file and --preset")
    from mmrl.runs.config_file import read_config
    from mmrl.runs.listing import find_run
    from mmrl.settings.variables import note_unused
    from mmrl.training.resume import check_resume

    # The results folder is where to look, not a setting to change in the run found there.
    root = settings.get("run.results") or environ.get("MMRL_RESULTS") or "results"
    folder = Path(find_run(load, root).folder)
    stored = read_config(folder)
    changes = {key: value for key, value in settings.items() if key not in ("run.results", "run.name")}
    changes = current(changes, str(changes.get(NAME, stored.config.market.name)))
    if stored.note:
        note(f"{folder.name}: {stored.note}")
    name = settings.get("run.name")
    if name not in (None, folder.name, stored.config.run.name):
        raise ConfigError(f"run.name = {name!r} cannot change by --load: use mmrl runs rename {folder.name} {name}")
    config = replaced(stored.config, {**changes, "run.results": str(folder.parent)})
    refuse_without_effect(config, dict.fromkeys(changes, "flag"))
    check_resume(folder, stored.config, config, expand or 0)
    note_unused(environ, stored.config, changes, "--load takes the settings of the run, and those of flags")
    return config, {**stored.origins, **dict.fromkeys(changes, "flag")}, folder, None


def train(
    config: Config,
    origins: dict[str, str],
    folder: Path | None,
    expand: int | None,
    as_json: bool,
    force: bool = False,
    fitted: MarketFile | None = None,
    smooth: float | None = None,
    trackers: Sequence[str] = (),
) -> int:
    """Train in this process with the view that suits the output, and trackers; returns the exit code."""
    from mmrl.training.reproducible import pin

    if config.run.reproducible:
        pin()
    from mmrl.display.choose import open_view
    from mmrl.training.start import train as run_session

    load = str(folder) if folder else None
    view: View = open_view(as_json, smooth)
    if trackers:
        from mmrl.training.trackers import Tracked, check_installed

        for name in trackers:
            check_installed(name)
        view = Tracked(view, list(dict.fromkeys(trackers)))
    ask = partial(run_session, config, origins, load=load, expand=expand or 0, view=view, force=force, fitted=fitted)
    if ranks() == 1:
        return ask()
    from mmrl.training import parallel

    parallel.check(config)
    parallel.join()
    end_with_parent()
    try:
        return ask()
    finally:
        parallel.leave()


def helps(trains: bool, elsewhere: str = "") -> bool:
    """Whether torchrun has started this process to help another one, which it does if that one `trains`.

    `elsewhere`: an option that starts other processes, which torchrun's are not; refused. Raises ConfigError.
    """
    if elsewhere and ranks() > 1:
        raise ConfigError(f"{elsewhere} has no effect under torchrun, whose processes train one run: drop {elsewhere}")
    if ranks() > 1:
        see_one_gpu(os.environ)
    if rank() == 0:
        return False
    if trains:
        from mmrl.training.parallel import help_out

        help_out()
    return True


def detach(arguments: Sequence[str], config: Config, as_json: bool) -> None:
    """Start the same command as a process of its own session and return when its run has begun.

    It prints into a file beside the run folders until it knows its own, then into the log.txt there; a file that
    stays therefore says why a run could not begin.
    """
    root = Path(config.run.results).resolve()
    child, log = in_background(arguments, root)
    folder = _begun(child, root, log)
    facts = {"pid": child.pid, "results": str(root), "log": str(log)}
    if as_json:
        print(json.dumps(facts if folder is None else {**facts, "run": folder.name, "folder": str(folder)}))
    elif folder is None:
        print(f"training in process {child.pid}; it has not named its run yet: {command(['runs', 'list'], root)}")
    else:
        print(f"{shown_path(folder)}: training in process {child.pid}, its output is in log.txt there")
        print("\n".join(lines(steps(folder, "running", 0))))


def in_background(arguments: Sequence[str], root: Path) -> tuple[subprocess.Popen[bytes], Path]:
    """Start a command as a process of its own session, and the file beside the runs into which it prints at first."""
    from mmrl.display.detached import VARIABLE
    from mmrl.runs.processes import environment, python

    root.mkdir(parents=True, exist_ok=True)
    log = root / f".detached-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log"
    start = [*python(), *(argument for argument in arguments if argument not in ("--detach", "--json"))]
    with log.open("ab") as out:
        # A session of its own: closing the terminal must not end the training.
        child = subprocess.Popen(
            start, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, start_new_session=True,
            env=environment(**{VARIABLE: str(log), CALLED: shlex.join(called())}),
        )  # fmt: skip
    return child, log


def ended_with(child: subprocess.Popen[bytes], log: Path) -> ConfigError:
    """Why a process in the background ended before it trained."""
    said = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return ConfigError(said[-1].removeprefix("mmrl: ") if said else f"the process ended with {child.returncode}")


def _begun(child: subprocess.Popen[bytes], root: Path, log: Path) -> Path | None:
    """The folder of the run that a new process trains; None if it needs longer than `PATIENCE` to name it.

    Raises ConfigError with its last line if it ends before.
    """
    from mmrl.runs.listing import run_folders
    from mmrl.runs.status import read_raw

    deadline = time.monotonic() + PATIENCE
    while True:
        ended = child.poll() is not None
        for folder in () if log.exists() else run_folders(root):  # its output has moved into the run
            if read_raw(folder).get("pid") == child.pid:
                return folder
        if ended:
            raise ended_with(child, log)
        if time.monotonic() > deadline:
            return None
        time.sleep(0.1)


def show_settings(config: Config, origins: Mapping[str, str], as_json: bool, expand: int = 0) -> None:
    """Print all settings with their origins, the target with what it is expanded by; nothing is created."""
    if expand:
        config = replaced(config, {"training.ne": config.training.ne + expand})
        origins = {**origins, "training.ne": "flag"}
    if not as_json:
        print(dump_toml(config, origins), end="")
        return
    print(json.dumps({"config": values_of(config), "origins": dict(origins)}))
