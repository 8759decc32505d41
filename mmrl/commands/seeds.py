"""`mmrl train --seeds`: the same training with several seeds, processes side by side, as a group of runs."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from mmrl.display.board import JSON, LINES, LIVE, Board
from mmrl.display.choose import draws
from mmrl.plots.numbers import HALF, amount, percent
from mmrl.plots.output import say
from mmrl.runs import config_file, group_plan, groups, listing
from mmrl.runs.following import command, lines
from mmrl.runs.group_plan import Plan, Planned
from mmrl.settings.errors import ConfigError
from mmrl.settings.market_file import MarketFile
from mmrl.settings.model import Config
from mmrl.training.children import Children, killed, side_by_side
from mmrl.training.signals import READER_LEFT, Interruption
from mmrl.training.start import check_engine
from mmrl.training.trackers import check_installed
from mmrl.training.waiting import Waiting

LOOK = 0.2
"""Seconds that the processes are listened to before signals are looked at again."""


def planned(config: Config, seeds: str) -> tuple[Plan, int]:
    """What is to be trained, and how many processes at once; creates nothing."""
    if config.run.device != "auto" or config.run.engine != "auto":  # else torch and numba need not be loaded here
        check_engine(config)
    wanted = group_plan.seeds_of(seeds)
    _, threads = side_by_side(config, len(wanted))
    plan = group_plan.plan(config, wanted, threads)
    return plan, side_by_side(plan.config, len(plan.runs))[0]


def train(
    config: Config,
    origins: Mapping[str, str],
    seeds: str,
    as_json: bool,
    force: bool = False,
    fitted: MarketFile | None = None,
    trackers: Sequence[str] = (),
) -> int:
    """Train all seeds to their target, as many at once as fit; returns the exit code.

    The first SIGINT or SIGTERM stops all after their epoch with checkpoints, a second one at once.
    """
    plan, jobs = planned(config, seeds)
    for name in trackers:
        check_installed(name)
    options = [*(["--force"] if force else []), *(word for name in trackers for word in ("--log-to", name))]
    runs = group_plan.begin(plan, origins, fitted)
    _into_log(plan)
    kind = JSON if as_json else LIVE if draws() else LINES
    board = Board(_title(plan, jobs), kind)
    if plan.edited:
        kept = config_file.in_words(plan.config, plan.edited)
        board.note(f"{plan.group} goes on with {kept}, as changed while it trained")
    for info in plan.done:
        _add(board, plan.config, info.seed or 0, Path(info.folder), info.state)
    for run in runs:
        assert run.folder is not None
        _add(board, plan.config, run.seed, run.folder, "waiting")
    with Interruption(
        lambda: board.note("stopping all after this epoch; press Ctrl-C again to stop at once")
    ).installed() as interruption:
        worst = _work(runs, jobs, options, board, interruption, _compiles(plan.config))
    board.close()
    infos = groups.members(plan.group, plan.config.run.results)
    if as_json:
        board.say_json(_summary(plan.group, infos))
    else:
        for line in _outcome(plan, infos, stopped=bool(interruption.signal)):
            say(line, board.out)
    return interruption.exit_code or worst


def _work(
    runs: Sequence[Planned],
    jobs: int,
    options: Sequence[str],
    board: Board,
    interruption: Interruption,
    first_alone: bool,
) -> int:
    """Train the runs; returns 0 or the exit code of one that failed."""
    children, waiting, worst, sent = Children(), Waiting([run.folder for run in runs if run.folder]), 0, False
    names = {run.folder: _short(run.seed) for run in runs}
    try:
        while children or waiting:
            if interruption.signal and not sent:
                sent = True
                waiting.leave()
                children.send(_passed_on(interruption.signal))
            while waiting and len(children) < (1 if first_alone else jobs):
                lock, wanted = waiting.next()
                name = names[lock.folder]
                if wanted:
                    children.start(name, lock, options)
                board.state(name, "starting" if wanted else "interrupted")
            if not children:
                break
            for heard in children.heard(LOOK):
                if heard.kind == "record":
                    first_alone = False  # the kernels are compiled
                    board.record(heard.name, heard.what)
                elif heard.kind == "note" and not sent:  # each says that it stops
                    board.note(f"{heard.name}: {heard.what}")
                elif heard.kind == "ended":
                    first_alone = False
                    worst = worst or (0 if sent else max(heard.what, 0) or (1 if heard.what else 0))
                    if heard.what < 0 and not sent:
                        board.note(f"{heard.name}: {killed(heard.what)}: the same command goes on with it")
                    if heard.what:
                        board.state(heard.name, "interrupted" if sent else _state_of(runs, heard.name))
    finally:
        waiting.leave()
        children.send(_passed_on(interruption.signal or 15))
    return worst


def _passed_on(number: int) -> int:
    """The signal for the children: a reader that left this process has not left them."""
    return 15 if number == READER_LEFT else number


def _state_of(runs: Sequence[Planned], name: str) -> str:
    folder = next(run.folder for run in runs if _short(run.seed) == name)
    return listing.describe(folder).state if folder else "failed"


def _compiles(config: Config) -> bool:
    """Whether the kernels are still to be compiled: one training does it, and the others wait for it."""
    from mmrl.rollout.compiled import compile_needed

    return config.run.engine not in ("cuda", "tensor") and compile_needed(config)


def _add(board: Board, config: Config, seed: int, folder: Path, state: str) -> None:
    with suppress(ConfigError):  # of a run that has begun, with what was changed while it trained
        config = config_file.read_config(folder).config
    [last] = listing.last_records(folder, "epoch")
    board.add(_short(seed), config, folder, state, last, {"run": folder.name, "seed": seed})


def _short(seed: int) -> str:
    return f"seed {seed}"


def _title(plan: Plan, jobs: int) -> str:
    count = len(plan.runs) + len(plan.done)
    threads = plan.config.run.threads
    processes = f"{jobs} process{'es' if jobs > 1 else ''} at once, {threads} thread{'s' if threads > 1 else ''} each"
    return f"{plan.group}  {plan.config.market.name}  {count} seed{'s' * (count > 1)}, {processes}"


def _summary(group: str, infos: Sequence[listing.RunInfo]) -> dict[str, Any]:
    """A group for programs: means over its runs with halves of their 95 % intervals."""
    found: dict[str, Any] = {"group": group, "runs": len(infos), "state": groups.states_of(infos)}
    for fact in ("value_mean", "optimality"):
        found[fact], found[f"{fact}_half"] = groups.mean_of(infos, fact)
    return found


def _outcome(plan: Plan, infos: Sequence[listing.RunInfo], stopped: bool) -> list[str]:
    """What came out, and what can follow."""
    root = Path(plan.config.run.results)
    text = f"{plan.group}: {groups.states_of(infos)}"
    mean, half = groups.mean_of(infos, "value_mean")
    text += "" if mean != mean else f", mean over seeds: value {amount(mean, half)}"
    share, half = groups.mean_of(infos, "optimality")
    text += "" if share != share else f", optimality {percent(share)}" + ("" if half != half else f" ± {percent(half)}")
    said = [text] + ([f"({HALF})"] if "±" in text else [])
    steps = [("look", ["plot", plan.group]), ("evaluate", ["evaluate", plan.group]), ("list", ["runs", "list"])]
    return [*said, *lines([(what, command(words, root)) for what, words in steps])] + (
        ["  go on by the same command"] if stopped else []
    )


def _into_log(plan: Plan) -> None:
    """In the background: what is said goes into a file beside the runs, named as the group."""
    from mmrl.display.detached import VARIABLE, move_output

    early = os.environ.pop(VARIABLE, "")
    if early:
        move_output(Path(early), log_of(plan))


def log_of(plan: Plan) -> Path:
    """Where a group that is trained in the background says what it says."""
    return Path(plan.config.run.results) / f"{plan.group}.log"


def detach(arguments: Sequence[str], config: Config, seeds: str, as_json: bool) -> None:
    """Start the same command in the background; returns when its runs have begun."""
    import json

    from mmrl.commands.train import PATIENCE, ended_with, in_background

    plan, _ = planned(config, seeds)
    root = Path(config.run.results).resolve()
    child, early = in_background([*arguments, *([] if config.run.name else ["--name", plan.group])], root)
    deadline = time.monotonic() + PATIENCE
    while early.exists() and time.monotonic() < deadline:
        if child.poll() is not None:
            raise ended_with(child, early)
        time.sleep(0.1)
    log = log_of(plan) if not early.exists() else early
    if as_json:
        print(json.dumps({"pid": child.pid, "results": str(root), "log": str(log), "group": plan.group}))
        return
    print(f"{plan.group}: training in process {child.pid}, its output is in {log}")
    print("\n".join(lines([("list", command(["runs", "list"], root)), ("stop", f"kill {child.pid}")])))
