"""Every option of every command in every mode of it: it changes what happens, or it is refused by its name."""

from __future__ import annotations

import contextlib
import io
import itertools
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cli
from mmrl.commands import attach, bench, calibrate, evaluate, modes, quote, replay, seeds, serve, sweep
from mmrl.commands import train as training
from mmrl.evaluate import compare, surface
from mmrl.plots import figures
from mmrl.runs.lock import RunLock
from mmrl.settings.fields import fields

GOOD = Path(__file__).resolve().parents[2] / "good-results"
COMMAND: Any = cli.app.program()
SILENT = ("--debug", "--help", "--help-all", "--version")
"""What shows the traceback of an error, and what ends a command."""
RUN = ("quickstart", "--results", "runs")
GAME = ("avellaneda-stoikov-ppo", "--results", "runs")
TAPE = ("quickstart", "day.npz", "--results", "runs")
BASES: dict[str, dict[str, tuple[str, ...]]] = {
    "bench": {"all": (), "quick": ("--quick",)},
    "evaluate": {
        "runs": (*RUN, "--trajectories", "3"),
        "agents": ("--agent", "symmetric", "--market", "avellaneda-stoikov", "--trajectories", "3"),
        "json": (*GAME, "--trajectories", "3", "--json"),
        "quotes": (*GAME, "--quotes"),
        "quotes as json": (*GAME, "--quotes", "--json"),
        "save": (*GAME, "--save", "a.txt"),
    },
    "plot": {
        "training": RUN,
        "episode": (*RUN, "--what", "episode"),
        "book": (*RUN, "--what", "book"),
        "good": ("--good-results", "--results", "runs"),
        "text": (*RUN, "--save", "a.txt"),
        "figure": (*RUN, "--save", "a.svg"),
        "figure of an episode": (*RUN, "--what", "episode", "--save", "a.svg"),
    },
    "config": {
        "run": RUN,
        "preset": ("order-flow", "--results", "runs"),
        "diff": (*RUN, "--diff", "avellaneda-stoikov"),
        "schema": ("--schema",),
    },
    "quote": {"one": GAME, "table": (*GAME, "--table")},
    "replay": {
        "report": TAPE,
        "json": (*TAPE, "--json"),
        "latencies": (*TAPE, "--sweep", "latency=0,5"),
        "queue models": (*TAPE, "--sweep", "queue=log,power:3"),
        "sweep as json": (*TAPE, "--sweep", "latency=0,5", "--json"),
    },
    "simulate": {
        "others": ("--market", "order-flow", "--events", "40", "-o", "t"),
        "agent": ("--market", "order-flow", "--events", "40", "-o", "t", "--agent", "naive"),
        "json": ("--market", "order-flow", "--events", "40", "-o", "t", "--json"),
    },
    "runs list": {"table": ("--results", "runs"), "json": ("--results", "runs", "--json")},
    "runs show": {"one": RUN},
    "runs log": {"one": GAME},
    "runs attach": {"one": RUN},
    "runs restore": {"list": ("--results", "runs")},
    "runs doctor": {"all": ("--results", "runs"), "one": RUN},
    "runs pause": {"one": RUN},
    "runs change": {"one": ("quickstart", "lr=0.1", "--results", "runs")},
    "calibrate": {"fit": ("a.csv",), "write": ("a.csv", "-o", "m.toml"), "check": ("a.csv", "--check", "m.toml")},
    "export": {
        "csv": ("quickstart", "--results", "runs", "--csv", "a.csv"),
        "json": (*RUN, "--csv", "a.csv", "--json"),
        "policy": (*GAME, "--numpy", "a.npz", "--force"),
    },
    "tui": {"browser": ("--serve", "--results", "runs")},
    "sweep": {"new": ("my.toml", "--results", "runs"), "json": ("my.toml", "--results", "runs", "--json")},
    "train": {
        "new": ("--results", "runs"),
        "load": ("--load", "quickstart", "--results", "runs", "-ne", "100000"),
        "dry": ("--dry-run", "--results", "runs"),
        "dry load": ("--dry-run", "--load", "quickstart", "--results", "runs"),
        "detach": ("--detach", "--results", "runs"),
        "seeds": ("--seeds", "0-2", "--results", "runs"),
        "plot": ("--plot", "--results", "runs"),
        "good": ("--good-results", "--results", "runs"),
    },
}
VALUES = {
    "--agent": "fixed:2", "--market": "avellaneda-stoikov", "--set": "gamma=0.2", "--trajectories": "5", "--seed": "5",
    "--epoch": "1", "--max-inventory": "70", "--save": "b.txt", "--results": "elsewhere", "--metric": "spread",
    "--width": "40", "--height": "12", "--inventory": "3", "--time": "0.25", "--output": "u", "--events": "50",
    "--levels": "3", "--run": "quickstart", "--columns": "name,nb", "--what": "episode", "--preset": "lineage",
    "--format": "lobster", "--from": "10:00", "--to": "11:00", "--date": "2020-01-01", "--symbol": "X", "--tick": "0.5",
    "--queue-sizes": "1", "--exponentials": "1", "--half-hour": "10:00", "--hawkes-kinds": "all", "--check": "n.toml",
    "--efficient-price": "none",
    "--load": "avellaneda-stoikov-ppo", "--latency-ms": "3", "--fee-maker": "0.01%", "--fee-taker": "0.02%",
    "--queue": "log", "--decision-interval": "2", "--lots": "7", "--lot": "0.5", "--sweep": "latency=2",
    "--diff": "lineage", "--onnx": "a.onnx", "--torchscript": "a.pt", "--numpy": "b.npz",
    "--name": "day", "--config": "my.toml", "--market-file": "m.toml", "--expand": "7", "--nb": "12",
    "--seeds": "3,7", "--log-to": "tensorboard", "--csv": "b.csv", "--trials": "3", "--jobs": "2",
    "--parquet": "b.parquet", "--tensorboard": "logs",
    "--against": "HEAD", "--port": "8080", "--only": "learner",
}  # fmt: skip
SPECIAL = {
    ("train", "plot"): {"--load": "avellaneda-stoikov-ppo"},
    ("evaluate", "agents"): {"--market": "book"},
    ("plot", "episode"): {"--what": "book"},
    ("simulate", "others"): {"--set": "market_rates=0.5", "--preset": "order-flow-fast"},
    ("simulate", "agent"): {"--set": "market_rates=0.5", "--preset": "order-flow-fast"},
    ("simulate", "json"): {"--set": "market_rates=0.5", "--preset": "order-flow-fast"},
    ("plot", "figure"): {"--save": "a.txt"},
    ("plot", "figure of an episode"): {"--save": "a.txt", "--what": "book"},
}
REFUSED = {
    ("train", "dry"): {"--detach", "--force"},
    ("train", "detach"): {"--dry-run"},
    ("config", "schema"): {"--diff", "--results", "--json"},
    ("train", "seeds"): {"--load", "--expand"},
    ("evaluate", "agents"): {"--epoch", "--stochastic", "--deterministic", "--results"},
    ("evaluate", "quotes"): {"--trajectories", "--seed", "--max-inventory", "--stochastic"},
    ("evaluate", "save"): {"--trajectories", "--seed", "--max-inventory", "--stochastic", "--json"},
    ("plot", "episode"): {"--metric"},
    ("replay", "latencies"): {"--latency-ms", "--trajectories", "--name"},
    ("replay", "queue models"): {"--queue", "--trajectories", "--name"},
    ("replay", "sweep as json"): {"--latency-ms", "--save", "--name"},
    ("calibrate", "fit"): {"--seed", "--force"},
    ("calibrate", "check"): {
        "--market",
        "--queue-sizes",
        "--exponentials",
        "--hawkes-kinds",
        "--efficient-price",
        "--half-hour",
        "--output",
        "--force",
    },
    ("simulate", "others"): {"--epoch", "--stochastic", "--deterministic", "--results"},
}
"""What must be refused, beyond what the test finds by itself."""
AS_ANYWAY = {
    ("train", "good", "--plot"),  # names the mode again
    ("evaluate", "save", "--quotes"),
    ("evaluate", "quotes", "--deterministic"),  # confirms what is drawn
    ("evaluate", "quotes as json", "--deterministic"),
    ("evaluate", "save", "--deterministic"),
    ("runs log", "one", "--follow"),  # waits for a training, and this one has ended
    ("simulate", "others", "--force"),  # nothing is there to be overwritten
    ("simulate", "agent", "--force"),
    ("simulate", "json", "--force"),
    ("export", "csv", "--force"),
    ("export", "json", "--force"),
}
"""What changes nothing because it is so anyway."""


@pytest.fixture(autouse=True, scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with two runs, whose commands only record what they were asked for where they would take long."""
    folder = tmp_path_factory.mktemp("modes")
    shutil.copytree(GOOD, folder / "runs")
    shutil.copytree(GOOD, folder / "good-results")
    member = shutil.copytree(GOOD / "quickstart", folder / "runs" / "two-seed0") / "config.toml"
    lines = [line for line in member.read_text().splitlines() if not line.startswith("# ")]
    member.write_text("\n".join([*lines, '"group" = "two"']) + "\n")
    good = folder / "good-results" / "quickstart"  # which is not the run of that name in "runs"
    (good / "metrics.jsonl").write_bytes(b"".join((good / "metrics.jsonl").read_bytes().splitlines(True)[:100]))
    max((good / "episodes").iterdir()).unlink()
    (folder / "my.toml").write_text("lr = 0.125\n")
    (folder / "runs" / "avellaneda-stoikov-ppo" / "log.txt").write_text("it began\n")

    def said(*arguments: Any) -> Any:
        print(arguments)
        return 0

    def result(*arguments: Any) -> dict[str, Any]:
        print(arguments, file=sys.stderr)
        return {
            "market": "m", "parameters": {}, "trajectories": 1, "seed": 0, "optimum_ce": None, "rows": [], "split": {},
            "asked": repr(arguments),
        }  # fmt: skip

    def drawn(entrants: Any) -> Any:
        print(entrants, file=sys.stderr)
        return np.zeros(1), []

    real = compare.named_agent

    def named(name: str, config: Any) -> Any:
        return real(name, config) if config.market.name == "order-flow" else (name, config)

    training_now = itertools.cycle((True, True, False))
    with pytest.MonkeyPatch.context() as patch, RunLock(folder / "runs" / "quickstart"):
        patch.setattr(attach, "is_locked", lambda of: next(training_now))
        patch.setattr(evaluate, "compile_first", lambda *_, **__: None)
        patch.setattr(compare, "run_agent", lambda *asked: repr(asked))
        patch.setattr(compare, "named_agent", named)
        patch.setattr(quote, "_optimum", lambda *_: None)
        patch.setattr(compare, "compare", result)
        patch.setattr(surface, "show", said)
        patch.setattr(surface, "curves", drawn)
        patch.setattr(figures, "save_figure", lambda *asked: [print(asked)])
        patch.chdir(folder)
        patch.setattr(sys, "argv", sys.argv)
        patch.setenv("COLUMNS", "100")
        patch.setenv("LINES", "30")
        patch.setattr(bench, "bench", said)
        patch.setattr(serve, "serve", said)
        patch.setattr(training, "train", said)
        patch.setattr(training, "detach", said)
        patch.setattr(replay, "replay", said)
        patch.setattr(seeds, "train", said)
        patch.setattr(seeds, "detach", said)
        patch.setattr(sweep, "sweep", said)
        for name in ("load", "calibrate", "check"):
            patch.setattr(calibrate, name, said)
        yield folder


def outcome(arguments: list[str], folder: Path) -> tuple[int, str, str]:
    """Exit code, what is printed and written, and the error."""
    out, err, sys.argv = io.StringIO(), io.StringIO(), ["mmrl", *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = COMMAND.main(arguments, prog_name="mmrl", standalone_mode=False) or 0
        except Exception as error:
            code = cli._report(error, arguments)
    written = sorted(path for path in folder.iterdir() if path.is_file() and path.suffix in (".txt", ".svg", ".csv"))
    files = "".join(f"{path.name}\n{path.read_text()}\n" for path in written)
    for path in written:
        path.unlink()
    return code, out.getvalue() + files, err.getvalue()


def command_of(name: str) -> Any:
    found = COMMAND
    for word in name.split():
        found = found.commands[word]
    return found


SETTINGS = {flag for spec in fields() for flag in (*spec.flags, *spec.switches)} - {"--nb"}


def flags_of(name: str) -> list[tuple[str, bool]]:
    """The options of a command by one of their flags, and whether it takes a value; one of all settings."""
    found = []
    for parameter in command_of(name).params:
        if parameter.param_type_name == "argument" or getattr(parameter, "hidden", False):
            continue
        for flags in filter(None, (parameter.opts, parameter.secondary_opts)):
            flag = "--nb" if "--nb" in flags else modes._long(flags)
            if flag not in SILENT and not (name == "train" and flag in SETTINGS):
                found.append((flag, not parameter.is_flag))
    return found


CASES = [(name, mode) for name, bases in BASES.items() for mode in bases]


@pytest.mark.parametrize(("name", "mode"), CASES)
def test_every_option_in_every_mode(name: str, mode: str, here: Path) -> None:
    base = [*name.split(), *BASES[name][mode]]
    code, before, first = outcome(base, here)
    assert code == 0, first
    ignored, refused = [], set()
    for flag, takes in flags_of(name):
        value = SPECIAL.get((name, mode), {}).get(flag, VALUES.get(flag, ""))
        after, text, error = outcome([*base, flag, *([value] if takes else [])], here)
        if after == 2 and code != 2:
            known = [flag, "-o", "would change nothing", *(word for word in base if word.startswith("-"))]
            assert any(word in error for word in known), (flag, error)
            refused.add(flag)
        elif (after, text, error) == (code, before, first) and flag not in base and (name, mode, flag) not in AS_ANYWAY:
            ignored.append(flag)
    assert ignored == []
    assert REFUSED.get((name, mode), set()) <= refused


def test_all_commands_are_covered() -> None:
    """But for those that have no options beside where runs are, --json and --debug."""
    every = {n for n, c in COMMAND.commands.items() if n != "runs"} | {
        f"runs {n}" for n in COMMAND.commands["runs"].commands
    }
    rest = {name for name in every - BASES.keys() if {f for f, _ in flags_of(name)} - {"--results", "--json"}}
    assert rest == set()


def test_what_is_not_refused_and_not_used_is_found(monkeypatch: pytest.MonkeyPatch, here: Path) -> None:
    monkeypatch.setattr(modes, "RULES", {})
    with pytest.raises(AssertionError, match="--metric"):
        test_every_option_in_every_mode("plot", "episode", here)
