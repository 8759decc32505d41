"""What cannot be is told in one line, with the name, the value and a remedy that the library has."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mmrl
from mmrl.agents import AGENTS
from mmrl.commands.export_policy import export
from mmrl.runs.listing import RunNotFound
from mmrl.settings.errors import ConfigError
from mmrl.settings.keywords import with_keywords

ROOT = Path(__file__).resolve().parents[2]
GOOD = ROOT / "good-results"
GAME = "avellaneda-stoikov-ppo"
ANY: Any = mmrl
"""Given what its types forbid."""
TINY: dict[str, Any] = {"nt": 20, "nb": 4, "ne": 2, "threads": 1, "minibatches": 1}


def config(**settings: Any) -> mmrl.Config:
    return mmrl.Config.of("avellaneda-stoikov", nt=20, threads=1, **settings)


def policy() -> Any:
    return mmrl.load(GAME, GOOD)


def said(call: Any, *words: str, kind: type[Exception] = ValueError) -> str:
    """The one line with which a call is refused, which names no option of the command line."""
    with pytest.raises(kind) as error:
        call()
    text = str(error.value)
    for word in words:
        assert word in text
    assert "\n" not in text and not re.search(r"(?<!export )(?<![\w-])--[a-z]", text), text
    return text


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: ANY.evaluate("symmetric", config="quickstart"),
            "takes a Config, not 'quickstart': mmrl.Config",
        ),
        (lambda: ANY.evaluate("symmetric", config={}), "evaluate takes a Config, not {}"),
        (lambda: ANY.simulate("symmetric", "quickstart"), "simulate takes a Config, not 'quickstart'"),
        (lambda: ANY.simulate("symmetric", {}), "simulate takes a Config, not {}"),
        (lambda: ANY.load(None), "None is no run: give load its name or folder"),
        (lambda: ANY.load(3), "3 is no run"),
        (lambda: ANY.load(b"x"), "is no run"),
        (lambda: ANY.load(GAME, 3), "results = 3 is not allowed: it must be a path"),
        (lambda: ANY.load(GAME, GOOD, epoch=1.5), "epoch = 1.5 is not allowed"),
        (lambda: mmrl.load(GAME, GOOD, epoch=3), f"epoch 3: run {GAME} keeps the policies of epochs"),
        (lambda: ANY.runs(3), "results = 3 is not allowed"),
        (lambda: mmrl.runs(__file__), "is no folder: name the one that contains the run folders"),
        (lambda: ANY.evaluate("symmetric", config=config(), results=3), "results = 3 is not allowed"),
        (lambda: ANY.evaluate("symmetric", config=config(), stochastic="x"), "stochastic = 'x' is not allowed"),
        (lambda: ANY.simulate("symmetric", config(), stochastic=2), "stochastic = 2 is not allowed"),
        (lambda: mmrl.evaluate("symmetric", config=config(), trajectories=10**9), "the most are 100000000"),
        (lambda: mmrl.simulate("symmetric", config(), trajectories=10**9), "trajectories = 1000000000: this cannot be"),
        (lambda: ANY.train(config(), results=3), "results = 3 is not allowed"),
        (lambda: mmrl.evaluate(GAME, str(GOOD / "quickstart"), results=GOOD), "pass config=, the market for all"),
        (lambda: mmrl.evaluate("symmetric"), "in which market shall symmetric trade? pass config=mmrl.Config.of(...)"),
        (lambda: mmrl.evaluate(), "in which market shall the usual agents trade?"),
        (lambda: mmrl.evaluate(GAME, config=mmrl.Config.of("quickstart"), results=GOOD), "leave config out"),
        (lambda: mmrl.Config.of("avellaneda-stoikov", book_size=5), "drop it, or use market='book'"),
        (lambda: mmrl.Config.of("avellaneda-stoikov").but(book_size=5), "drop it, or use market='book'"),
        (lambda: mmrl.Config.of(td=True, noadv=True), "drop td or noadv"),
        (lambda: mmrl.Config.of(reproducible=True), "add threads=2"),
        (lambda: mmrl.Config.of(engine="compiled", device="cuda"), "use engine='tensor' or device='cpu'"),
        (lambda: mmrl.Config.of(file="nope.toml"), "file nope.toml cannot be read"),
        (lambda: ANY.Config.of(file=3), "file = 3 is not allowed: it must be a path"),
    ],
)
def test_it_is_told_in_one_line(call: Any, words: str) -> None:
    said(call, words)


def test_only_the_wrong_number_is_named() -> None:
    assert "seed" not in said(lambda: ANY.simulate("symmetric", config(), trajectories=2.5), "trajectories = 2.5")
    assert "trajectories" not in said(lambda: ANY.simulate("symmetric", config(), seed=-1), "seed = -1")


def test_a_misspelt_agent_is_guessed() -> None:
    said(
        lambda: mmrl.evaluate("symmetri", config=config()),
        "lists them; nor is it an agent: did you mean 'symmetric'?",
        kind=RunNotFound,
    )
    said(lambda: mmrl.evaluate("zzzz", config=config()), "mmrl.runs('results') lists them", kind=RunNotFound)


@pytest.mark.parametrize("value", ["a", None, 10**400, 1e39, float("nan"), "3", 1j])
def test_an_inventory_is_a_number_of_32_bits(value: Any) -> None:
    said(lambda: policy().quote(inventory=value), "inventory = ", "an observation must be finite numbers")


def test_observations_are_numbers_as_many_as_there_are_columns() -> None:
    made = policy()
    for wrong in ("x", {"inventory": 3}, [1, 10**400], [1, "0.5"], [[1, 0.5]], [1, [2]], 3, [1j, 0.5]):
        said(lambda wrong=wrong: made.quote(wrong), "an observation has 2 numbers (inventory, time left), not ")
    said(lambda: made.quote([1e39, 0.5]), "an observation must be finite numbers")
    for rows in ([[3, 0.5, 1]], [], [3, 0.5], "x", [["a", "b"]], None):
        said(lambda rows=rows: made.quotes(rows), "observations are an array [rows, 2] of numbers")
    assert made.quotes([[3, 0.5]]).shape == (1, 2) and made.quotes(np.empty((0, 2))).shape == (0, 2)


@pytest.mark.parametrize("left", [5, -1, 1.01])
def test_the_time_left_is_a_share(left: float) -> None:
    made = policy()
    for call in (
        lambda: made.quote(time_left=left),
        lambda: made.quote([0, left]),
        lambda: made.quotes([[0, 0.5], [0, left]]),
    ):
        said(call, f"= {left}", "it must be a share of the horizon, 0 to 1")
    assert made.quote(time_left=1 + 1e-9) == made.quote(time_left=1)


def test_orders_are_of_at_least_one_share() -> None:
    book = mmrl.LimitOrderBook(1, 5)
    book.bid(2, 3)
    for call in (lambda: book.sell(-3), lambda: book.buy(0), lambda: book.cancel("bid", 0, 1)):
        said(call, "is not allowed: ", "at least one share")
    said(
        lambda: mmrl.LimitOrderBook(1, 10**15),
        "low = 1 to high = 1000000000000000 are more prices than memory can hold",
    )
    said(lambda: book.lots(0), "price = 0 is not allowed: it must be in [1, 5]")
    said(lambda: book.sell(1.5), kind=TypeError)  # type: ignore[arg-type]
    assert book.best("bid") == (3, 2)


def test_a_folder_in_the_settings_alone_is_noted(
    caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wanted = mmrl.Config.of("avellaneda-stoikov", **TINY, results="zzz")
    with caplog.at_level(logging.WARNING, "mmrl"):
        mmrl.train(wanted)
    (told,) = [text for text in caplog.messages if "keeps no run" in text]
    assert "train(config, results=" in told and "'zzz'" in told and not list(tmp_path.iterdir())
    caplog.clear()
    mmrl.train(wanted.but(results="results"))
    assert not [text for text in caplog.messages if "keeps no run" in text]


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    path = tmp_path / "policy.npz"
    export(GAME, {"numpy": str(path)}, "best", False, str(GOOD), True)
    return path


def test_an_exported_file_is_a_maker(exported: Path) -> None:
    own = mmrl.load(GAME, GOOD).config
    row = mmrl.evaluate(exported, config=own, trajectories=20)[0]
    assert row["value_mean"] == mmrl.evaluate(mmrl.load(exported), config=own, trajectories=20)[0]["value_mean"]
    assert mmrl.simulate(str(exported), own, trajectories=2).count == 2
    assert mmrl.evaluate(str(exported), GAME, results=GOOD, trajectories=20)[0]["value_mean"] == row["value_mean"]
    for call in (lambda: mmrl.evaluate(mmrl.load(exported)), lambda: mmrl.evaluate(exported)):
        said(call, "in which market shall ", "pass config=mmrl.Config.of(...)")


@pytest.mark.parametrize(
    ("name", "words"), [("x.onnx", "onnxruntime"), ("x.pt", "torch.jit.load"), ("x.zip", "sb3:FILE.zip")]
)
def test_files_that_cannot_be_loaded_are_told_as_such(
    name: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    for path in (name, str(tmp_path / name), Path(name)):
        said(lambda path=path: mmrl.load(path), "mmrl export --numpy FILE.npz", words)
        said(lambda path=path: mmrl.evaluate(path, config=config()), words)


def test_options_become_keywords() -> None:
    for text, expected in (
        ("use --engine compiled or cuda", "use engine='compiled' or cuda"),
        ("drop --reproducible, or --engine and --device", "drop reproducible, or engine and device"),
        ("about 3 GB: lower market.nt, or try it with --force", "about 3 GB: lower market.nt"),
        ("export again with mmrl export --numpy", "export again with mmrl export --numpy"),
        ("no option", "no option"),
    ):
        assert with_keywords(text) == expected
    assert "symmetric" in AGENTS and issubclass(ConfigError, ValueError)
