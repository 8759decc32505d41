"""A market of another package, installed as a user would install it: all works through the command line alone."""

from __future__ import annotations

import json
import subprocess
import sys
import tokenize
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.toy.register import HERE, environment, install, install_toy, registered

Result = subprocess.CompletedProcess[str]
Command = Callable[..., Result]
SMALL = ("-nt", "30", "-nb", "20", "-ne", "3", "--plot-after", "1")
RUN = "TOY_MC_3-20-30_gaus-ppo-clip-norm-adv_W"


@pytest.fixture(scope="module")
def mmrl(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """Runs `mmrl` in a folder of its own, as a user who has installed the toy market."""
    place = tmp_path_factory.mktemp("user")
    install_toy(place / "site")

    def run(*arguments: str, **variables: str) -> Result:
        return subprocess.run(
            [sys.executable, "-m", "cli", *arguments],
            cwd=place, env={**environment(place / "site"), **variables}, capture_output=True, text=True, check=False,
        )  # fmt: skip

    return run


@pytest.fixture(scope="module")
def trained(mmrl: Command) -> str:
    """The name of a run of three epochs."""
    done = mmrl("train", "--market", "toy", *SMALL, "--limit", "5", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(mmrl("runs", "list", "--json").stdout)
    assert [(run["market"], run["state"], run["epoch"]) for run in found] == [("toy", "finished", 3)]
    return str(found[0]["name"])


def one_line(done: Result, *parts: str) -> None:
    """The command was refused in one line that holds these parts."""
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mmrl: ") and done.stderr.count("\n") == 1, done.stderr
    assert all(part in done.stderr for part in parts), done.stderr


def dry(mmrl: Command, *arguments: str, **variables: str) -> tuple[dict[str, Any], dict[str, str]]:
    """Settings and their origins without a training."""
    done = mmrl("train", *arguments, "--dry-run", "--json", **variables)
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout)
    return shown["config"], shown["origins"]


def test_it_is_small() -> None:
    """The whole market takes fewer than 100 lines of code, so that a reader can take it all in."""
    lines = 0
    for path in sorted((HERE / "toy_market").glob("*.py")):
        with path.open("rb") as file:
            tokens = [t for t in tokenize.tokenize(file.readline) if t.type not in SILENT]
        strings = {t.start[0] for t in tokens if t.type == tokenize.STRING and t.line.strip().startswith('"""')}
        lines += len({line for t in tokens for line in range(t.start[0], t.end[0] + 1)} - strings)
    assert 50 < lines < 100


SILENT = (
    *(tokenize.ENCODING, tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENDMARKER),
    *(tokenize.INDENT, tokenize.DEDENT),
)


def test_its_rules_run_as_plain_python(mmrl: Command, tmp_path: Path) -> None:
    """As one debugs them."""
    tiny = ["-nt", "5", "-nb", "2", "--layer-size", "4", "--threads", "1", "-pa", "0", "-ne", "1"]
    done = mmrl("train", "--market", "toy", *tiny, "--results", str(tmp_path / "plain"), NUMBA_DISABLE_JIT="1")
    assert done.returncode == 0 and "finished after epoch 1" in done.stdout + done.stderr, done.stderr


def test_its_settings_come_from_every_source(mmrl: Command, tmp_path: Path) -> None:
    file = tmp_path / "my.toml"
    file.write_text('[market]\nname = "toy"\npace = 7.0\nlimit = 3\n')
    toy = ("--market", "toy")
    for arguments, variables, expected, origin in (
        ((*toy, "--pace", "3"), {}, 3.0, "flag"),
        ((*toy, "--set", "pace=4"), {}, 4.0, "flag"),
        ((*toy, "--set", "market.pace=5"), {}, 5.0, "flag"),
        (toy, {"MMRL_PACE": "6"}, 6.0, "environment MMRL_PACE"),
        (("--config", str(file)), {}, 7.0, f"file {file}"),
        (("--config", str(file)), {"MMRL_PACE": "6"}, 6.0, "environment MMRL_PACE"),
    ):
        config, origins = dry(mmrl, *arguments, **variables)
        assert (config["market.name"], config["market.pace"]) == ("toy", expected), arguments
        assert origins["market.pace"] == origin
    assert dry(mmrl, MMRL_MARKET="toy")[0]["market.limit"] == 10
    config, origins = dry(mmrl, "--preset", "toy", "--midprice", "50")
    assert (config["market.nt"], config["reward.utility"], origins["market.nt"]) == (100, "mean-variance", "preset toy")
    assert config["market.midprice"] == 50 and isinstance(config["market.midprice"], int)


def test_the_help_page_shows_them(mmrl: Command) -> None:
    text = mmrl("train", "--help-all").stdout
    panel = text.split("\nMarket: toy\n")[1].split("\n\n")[0]
    assert "--pace" in panel and "Mean length of a step in seconds" in panel and "> 0, <= 3600" in panel
    assert "--momentum" in panel and "--limit" in panel and "--sigma" not in panel
    assert "toy" in text.split("--market ")[1].split("--market-file")[0]
    assert "Market: avellaneda-stoikov, toy" in text  # k means the same in both


def test_what_cannot_be_is_refused_in_one_line(mmrl: Command) -> None:
    toy = ("train", "--market", "toy")
    one_line(mmrl(*toy, "--pace", "0"), "market.pace = 0.0 is not allowed", "> 0, <= 3600", "the default is 2.0")
    one_line(mmrl(*toy, "--limit", "1.5"), "market.limit = '1.5' is not allowed", "a whole number >= 1")
    one_line(mmrl(*toy, "--midprice", "100.5"), "market.midprice = '100.5'", "a whole number")
    one_line(mmrl(*toy, "--set", "momntum=0.1"), "unknown key 'momntum': did you mean 'momentum'?")
    one_line(mmrl(*toy, "--momntum", "0.1"), "--momntum", "--momentum")
    one_line(mmrl("train", "--market", "tyo"), "market.name = 'tyo'", "did you mean 'toy'?")
    one_line(mmrl("train", "--limit", "3"), "market.limit has no effect", "only toy has it", "--market toy")
    one_line(mmrl(*toy, "--book-size", "3"), "market.book_size has no effect", "the market is toy")
    one_line(mmrl(*toy, "--engine", "tensor"), "market toy is not in the tensor engine: use --engine compiled")
    one_line(mmrl("evaluate", "--market", "toy", "--agent", "naive"), "'naive' needs", "'toy' is not one")
    one_line(mmrl("evaluate", "--market", "toy", "--agent", "optimum"), "'optimum' needs", "'toy' is not one")


def test_a_run_is_named_listed_and_shown(mmrl: Command, trained: str) -> None:
    assert trained == RUN
    assert "toy" in mmrl("runs", "list").stdout
    shown = mmrl("runs", "show", trained).stdout
    assert "finished" in shown and "toy" in shown


@pytest.mark.nightly
def test_a_run_is_evaluated_beside_agents(mmrl: Command, trained: str) -> None:
    done = mmrl("evaluate", trained, "--agent", "symmetric", "--agent", "fixed:2", "--trajectories", "300", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [row["agent"] for row in result["rows"]] == [trained, "symmetric", "fixed:2"]
    assert result["parameters"]["limit"] == 5
    assert result["rows"][2]["spread_mean"] == 4.0 and result["rows"][2]["value_mean"] > 0
    usual = json.loads(mmrl("evaluate", "--market", "toy", "--trajectories", "100", "--json").stdout)
    assert [row["agent"] for row in usual["rows"]] == ["symmetric", "glft"]
    assert "toy:" in mmrl("evaluate", trained, "--trajectories", "100").stdout
    assert "bid distance" in mmrl("evaluate", trained, "--quotes").stdout


def test_a_run_is_drawn(mmrl: Command, trained: str) -> None:
    assert "epoch" in mmrl("plot", trained).stdout
    episode = mmrl("plot", trained, "--what", "episode").stdout
    assert "time (s)" in episode and "inventory I (shares)" in episode
    book = mmrl("plot", trained, "--what", "book")
    assert book.returncode == 0 and "there is no order book of it" in book.stdout


def test_a_run_goes_on(mmrl: Command, trained: str) -> None:
    copy = "longer"
    assert mmrl("train", "--preset", "toy", *SMALL, "--name", copy).returncode == 0
    done = mmrl("train", "--load", copy, "--expand", "2", "--json")
    assert done.returncode == 0, done.stderr
    shown = json.loads(mmrl("runs", "show", copy, "--json").stdout)
    assert (shown["state"], shown["epoch"], shown["target"]) == ("finished", 5, 5)
    one_line(mmrl("train", "--load", copy, "--market", "book"), "market.name = book cannot change")


def test_without_its_package_a_run_is_still_listed(mmrl: Command, trained: str, tmp_path: Path) -> None:
    done = mmrl("runs", "list", "--json", PYTHONPATH=environment()["PYTHONPATH"])
    assert trained in [run["name"] for run in json.loads(done.stdout)]
    gone = mmrl("evaluate", trained, PYTHONPATH=environment()["PYTHONPATH"])
    assert gone.returncode and gone.stderr.count("\n") == 1 and "toy" in gone.stderr


BROKEN = {
    "absent": (None, "cannot be imported: No module named 'absent_market'"),
    "syntax": ("def (", "cannot be imported: SyntaxError"),
    "raises": ("raise RuntimeError('no\\nlicence')", "cannot be imported: RuntimeError: no licence"),
    "bare": ("{head}    width: int = 3", "its setting width is not declared by option(default, help)"),
    "load": ("{head}    load: int = option(1, 'Load')", "market.load has the flag --load of mmrl train"),
    "lr": ("{head}    lr: float = option(1.0, 'Rate')", "market.lr has the flag --lr of training.lr"),
    "alias": ("from toy_market.settings import Settings", "its settings name it 'toy'"),
    "nothing": ("", "AttributeError"),
}
"""Settings files of packages that cannot be used, and what is said of them."""
HEAD = """from typing import Literal
from mmrl.settings.declare import option
from mmrl.settings.market import MarketSettings
class Settings(MarketSettings):
    name: Literal['{name}'] = option('{name}', 'Market to trade in', '--market', part='shape')
"""


ALIKE = ("bare", "load", "lr", "nothing", "absent")
"""Whose like is among the others: not in every run of the tests."""


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.nightly) if n in ALIKE else n for n in BROKEN])
def test_a_market_that_cannot_be_used_takes_nothing_down(mmrl: Command, name: str, tmp_path: Path) -> None:
    text, reason = BROKEN[name]
    install(tmp_path, name, {name: f"{name}_market"})
    install_toy(tmp_path)
    if text is not None:
        package = tmp_path / f"{name}_market"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "settings.py").write_text(text.replace("{head}", HEAD.replace("{name}", name)) + "\n")
    there = {"PYTHONPATH": environment(tmp_path)["PYTHONPATH"]}
    page = mmrl("train", "--help", **there)
    assert page.returncode == 0 and "Train a market maker" in page.stdout
    assert page.stderr.count("\n") == 1, page.stderr
    assert f"market {name} ({name}_market)" in page.stderr and reason in page.stderr and "left out" in page.stderr
    for command in ("train", "evaluate"):
        refused = mmrl(command, "--market", name, **there)
        assert (refused.returncode, refused.stdout) == (2, "")
        note, line = refused.stderr.splitlines()
        assert note.endswith("it is left out") and reason in line
    assert dry(mmrl, "--market", "toy", **there)[0]["market.name"] == "toy"


def test_the_terminal_ui_offers_and_shows_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("textual")
    from tests.tui.conftest import drive, make_run, press, screen_text
    from tui.form import Draft
    from tui.screens.run import RunScreen

    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    shown = []

    async def script(app: Any, pilot: Any) -> None:
        shown.append(screen_text(app))
        await press(app, pilot, "enter")
        assert isinstance(app.screen, RunScreen)
        for key in "2345614":
            await press(app, pilot, key)
            shown.append(screen_text(app))

    with registered():
        draft = Draft()
        [market] = [spec for spec in draft.specs if spec.key == "market.name"]
        assert "toy" in market.choices
        draft.texts["market.name"] = "toy"
        assert draft.errors() == {}
        assert draft.arguments() == ["--market", "toy"]
        make_run(tmp_path / "results", "mine", settings={"market.name": "toy", "market.nt": 30})
        drive(tmp_path / "results", script, (140, 40))
    assert " toy " in shown[0]
    assert "3 Book" not in shown[1] and "2 Episode" in shown[1] and "4 Quotes" in shown[1]
    assert shown[2] == shown[1]  # the key of a tab that is not there does nothing
    assert "momentum" in shown[4]


def test_the_flags_of_the_command_itself_are_reserved() -> None:
    """A market's setting with such a flag would break the command line, so the list must be complete."""
    from cli import app
    from mmrl.settings.fields import fields
    from mmrl.settings.registry import COMMAND_FLAGS

    train: Any = app.program().commands["train"]
    settings = {flag for spec in fields() for flag in (*spec.flags, *spec.switches)}
    own = {flag for p in train.params if not p.hidden for flag in p.opts} - settings
    assert own | {"--help", "-h"} == set(COMMAND_FLAGS)
