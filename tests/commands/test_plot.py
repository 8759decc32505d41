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
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    assert list(found) == ["avellaneda-stoikov", "order-flow", "book"]
    assert "quickstart" not in found["avellaneda-stoikov"] and "avellaneda-stoikov-ppo" not in found["book"]
    assert "optimality" in found["avellaneda-stoikov"] and "optimality" not in found["book"]  # which the book has not
    plot("--good-results", "--save", "a.txt", "--height", "20")
    assert (here / "a.txt").read_text().count("market ") == 3


def test_each_market_has_a_file_of_its_own(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "find_spec", lambda _: None)  # as without matplotlib
    plot("--good-results", "--save", "a.svg")
    assert capsys.readouterr().out == "".join(
        f"wrote a-{name}.svg\n" for name in ("avellaneda-stoikov", "order-flow", "book")
    )
    assert "quickstart" in (here / "a-book.svg").read_text()
    plot("good-results/quickstart", "--save", "b.svg")
    assert (here / "b.svg").exists()


@pytest.mark.parametrize("what", ["training", "episode"])
def test_a_figure_has_the_size_that_is_asked_for(what: str, here: Path) -> None:
    plot("good-results/quickstart", "--what", what, "--save", "a.svg", "--width", "100", "--height", "30")
    text = (here / "a.svg").read_text()
    assert 'width="720pt" height="360pt"' in text  # 10 by 5 inches of 72 points
