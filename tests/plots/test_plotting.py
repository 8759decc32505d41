"""`mmrl plot`: what it prints and writes for one run and several, finished, running or broken."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from mmrl.commands import plot as plotting
from mmrl.plots import pictures
from mmrl.plots.colours import THINGS, of_run
from mmrl.plots.streams import charset
from mmrl.plots.text import shortened
from mmrl.settings.errors import ConfigError

LETTERS = "".join(map(chr, range(0x2801, 0x2900)))


def run(root: Path, name: str, epochs: int = 9, market: str = "book", episode: bool = True) -> Path:
    folder = root / name
    (folder / "episodes").mkdir(parents=True)
    (folder / "config.toml").write_text(f'[market]\nname = "{market}"\n')
    rows = [
        {"epoch": k, "reward_mean": k * 0.5, "reward_std": 3.0, "trajectories": 10, "value_mean": k, "entropy": -k}
        for k in range(1, epochs + 1)
    ]
    torn = '{"epoch": 10, "rew'  # a running process is in the middle of a line
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows) + torn)
    if episode:
        arrays = {"time": np.arange(8.0)}
        for quantity in ("mid", "bid", "ask", "spread", "wealth", "inventory", "value"):
            for key in (f"{quantity}_mean", f"{quantity}_q05", f"{quantity}_q95", f"replay_{quantity}"):
                arrays[key] = np.arange(8.0)
        np.savez(folder / "episodes" / "000009.npz", **arrays)  # type: ignore[arg-type]
    return folder


def text(folders: list[Path], what: str = "training", metrics: tuple[str, ...] = (), **more: object) -> str:
    options = {"width": 80, "height": 30, "colour": False, **more}
    return pictures.drawing(folders, what, metrics, **options)  # type: ignore[arg-type]


def test_one_run(tmp_path: Path) -> None:
    picture = text([run(tmp_path, "a")], metrics=("reward", "value_mean"))
    assert picture.startswith("a\n")
    assert "reward (currency)  4.5 ± 2.3" in picture
    assert "value (currency)  9" in picture
    assert picture.count("epoch") == 2
    assert any(letter in picture for letter in LETTERS)


def test_several_runs_share_panels(tmp_path: Path) -> None:
    folders = [run(tmp_path / root, name) for root, name in (("x", "a"), ("y", "b"), ("z", "a"))]
    folders.append(run(tmp_path, "new", epochs=0))
    picture = text(folders, metrics=("reward",))
    assert picture.count("reward (currency)") == 1
    key = picture.split(" reward")[0]
    assert " a a " in key and " b b " in key
    assert shortened(f"a ({tmp_path / 'z'})", 80 - len(" c  ")) in key
    assert "new: no epoch is finished yet" in picture
    assert len(picture.split("\n")) == 30
    painted = text(folders, metrics=("reward",), colour=True)
    assert all(f"\x1b[38;5;{hue}m" in painted for hue in (of_run(k).number for k in range(4)))


@pytest.mark.parametrize(("market", "unit"), [("book", "time (ms)"), ("avellaneda-stoikov", "time (T)")])
@pytest.mark.parametrize("what", ["episode", "book"])
def test_episode_and_book_name_their_axes(tmp_path: Path, market: str, unit: str, what: str) -> None:
    picture = text([run(tmp_path, "a", market=market)], what)
    assert unit in picture
    assert "inventory I (shares)" in picture
    assert "prices (currency)  a ask  m mid  b bid" in picture
    if what == "episode":
        assert "wealth W (currency)" in picture
        assert "value W + I·S (currency)" in picture


def test_optimality_is_drawn_of_runs_that_have_it(tmp_path: Path) -> None:
    graded, other = run(tmp_path, "graded"), run(tmp_path, "other")
    assert "optimality" not in text([other])
    with (graded / "metrics.jsonl").open("w") as file:
        file.writelines(json.dumps({"epoch": k, "reward_mean": k, "optimality": 0.9}) + "\n" for k in (1, 2))
    assert "optimality  90.00 %" in text([graded])
    assert text([graded, other]).count("optimality") == 1
    assert "optimality" not in text([graded], metrics=("reward",))


def test_nothing_yet(tmp_path: Path) -> None:
    fresh = run(tmp_path, "fresh", epochs=0, episode=False)
    assert text([fresh]) == "fresh: no epoch is finished yet"
    (fresh / "metrics.jsonl").write_text("what is this\n")
    assert text([fresh]) == "fresh: no epoch can be read: mmrl runs doctor fresh"
    assert text([fresh], "episode") == "fresh: no episode is written yet (see --plot-after)"
    assert pictures.time_unit(tmp_path / "gone") == ""


def test_refusals(tmp_path: Path) -> None:
    folder = run(tmp_path, "a")
    with pytest.raises(ConfigError, match=r"unknown metric 'nope': there are reward, value, entropy"):
        text([folder], metrics=("nope",))
    with pytest.raises(ConfigError, match="must end in one of"):
        plotting.plot(["a"], False, str(tmp_path), save="a.gif")
    with pytest.raises(ConfigError, match="there is no folder"):
        plotting.plot(["a"], False, str(tmp_path), save=str(tmp_path / "gone" / "a.txt"))


def test_an_ascii_stream_gets_ascii(tmp_path: Path) -> None:
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    for what in ("training", "episode", "book"):
        picture = text([run(tmp_path / what, "a")], what, characters=charset(stream))
        assert picture.replace("·", "").isascii()
        assert "'" in picture


def test_colour_is_for_curves_only(tmp_path: Path) -> None:
    assert "\x1b" not in text([run(tmp_path, "a")])
    assert f"\x1b[38;5;{THINGS['reward'].number}m" in text([run(tmp_path, "b")], colour=True)
