"""`mmrl plot` of runs of several markets, and sizes of figures."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from cli import main
from mmrl.plots import figures

GOOD = Path(__file__).resolve().parents[2] / "good-results"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(GOOD, tmp_path / "good-results")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "90")
    return tmp_path


def plot(*arguments: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["plot", *arguments])
    assert not ended.value.code


def test_each_market_has_a_figure_of_its_own(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plot("--good-results")
    parts = re.split(r"^market (.*)\n", capsys.readouterr().out, flags=re.MULTILINE)[1:]
    assert parts[::2] == ["avellaneda-stoikov", "book"]
    assert "quickstart" not in parts[1] and "avellaneda-stoikov-ppo" not in parts[3]
    assert "optimality" in parts[1] and "optimality" not in parts[3]  # which the book has not
    plot("--good-results", "--save", "a.txt", "--height", "20")
    assert (here / "a.txt").read_text().count("market ") == 2


def test_each_market_has_a_file_of_its_own(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "find_spec", lambda _: None)  # as without matplotlib
    plot("--good-results", "--save", "a.svg")
    assert capsys.readouterr().out == "wrote a-avellaneda-stoikov.svg\nwrote a-book.svg\n"
    assert "quickstart" in (here / "a-book.svg").read_text()
    plot("good-results/quickstart", "--save", "b.svg")
    assert (here / "b.svg").exists()


@pytest.mark.parametrize("what", ["training", "episode"])
def test_a_figure_has_the_size_that_is_asked_for(what: str, here: Path) -> None:
    plot("good-results/quickstart", "--what", what, "--save", "a.svg", "--width", "100", "--height", "30")
    text = (here / "a.svg").read_text()
    assert 'width="720pt" height="360pt"' in text  # 10 by 5 inches of 72 points
