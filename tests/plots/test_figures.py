"""Figures are written, equal data give equal bytes, and a missing matplotlib is said in one line."""

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import pytest

from mmrl.plots import figures


def run(root: Path, name: str = "run_$x") -> Path:
    folder = root / name
    folder.mkdir()
    rows = [{"epoch": k, "reward_mean": k * 0.5, "reward_std": 1.0, "trajectories": 9} for k in range(5)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.mark.parametrize(("suffix", "magic"), [("png", b"\x89PNG"), ("pdf", b"%PDF"), ("svg", b"<?xml")])
def test_training_files(tmp_path: Path, suffix: str, magic: bytes) -> None:
    pytest.importorskip("matplotlib")
    folders = [run(tmp_path), run(tmp_path, "b")]
    first, second = tmp_path / f"1.{suffix}", tmp_path / f"2.{suffix}"
    for path in (first, second):
        figures.save_figure(folders, "training", [], path)
    assert first.read_bytes().startswith(magic)
    assert first.read_bytes() == second.read_bytes()


def test_episode_file(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    arrays = {"time": np.arange(4.0)}
    for name in ("mid", "bid", "ask", "wealth", "inventory", "value"):
        for key in ("mean", "se", "q05", "q95"):
            arrays[f"{name}_{key}"] = np.array([0.0, np.nan, 2.0, np.inf])
        arrays[f"replay_{name}"] = np.arange(4.0)
    for book in (False, True):
        figures.episode_plot(arrays, "name", tmp_path / "e.png", book_only=book)
        assert (tmp_path / "e.png").stat().st_size > 5000


def test_without_matplotlib(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(figures, "find_spec", lambda name: None)
    folder = run(tmp_path)
    with pytest.raises(figures.PlotsMissing, match=r"pip install 'market-making-rl\[plots\]'") as caught:
        figures.save_figure([folder], "training", [], tmp_path / "a.png")
    assert "\n" not in str(caught.value)
    figures.save_figure([folder], "training", [], tmp_path / "a.svg")
    assert ElementTree.parse(tmp_path / "a.svg").getroot().tag.endswith("svg")
