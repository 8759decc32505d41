"""Market files: what is read and refused, what wins over them, and that a run keeps and checks its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mmrl.commands.train import prepare
from mmrl.runs import listing, store
from mmrl.runs.promote import promote
from mmrl.settings.errors import ConfigError
from mmrl.settings.market_file import market_file, market_toml, read_market_file
from mmrl.settings.sources import fitted_preset, presets, read_file, resolve

SOURCE = {"files": ["x.csv"], "sha256": ["ab"], "format": "lobster", "date": "2024-01-02", "from": "1", "to": "2"}
MARKET = {"name": "avellaneda-stoikov", "sigma": 0.5, "k": 3.0}


def written(folder: Path, **market: Any) -> Path:
    path = folder / "market.toml"
    path.write_text(market_toml({**MARKET, **market}, {"k": 0.25}, SOURCE, ["a comment"]))
    return path


SOUND = "[source]\nfiles = ['x']\nsha256 = ['ab']\n"


def test_what_is_written_is_read_and_trained_on(tmp_path: Path) -> None:
    found = read_market_file(written(tmp_path))
    assert found.origin == "x.csv (lobster), 2024-01-02 1 to 2"
    config, origins = resolve({"k": 4.0}, preset="avellaneda-stoikov", fitted=found)
    assert (config.market.sigma, config.market.k) == (0.5, 4.0)  # type: ignore[attr-defined]
    assert origins["market.sigma"] == "market file market.toml" and origins["market.k"] == "flag"
    assert origins["market.arrival"] == "preset avellaneda-stoikov"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[market]\nname = 'book'\n", "no table [source]"),
        ("[source]\nfiles = 'x'\nsha256 = ['ab']\n", "no table [source]"),
        ("[market\n", "not valid TOML"),
        (f"{SOUND}tick = 'x'\n", "source.tick = 'x' is not allowed: it must be a number > 0"),
        (f"{SOUND}tick = nan\n", "source.tick = nan is not allowed"),
        (f"{SOUND}lots_of_a_share = 0\n", "source.lots_of_a_share = 0 is not allowed: it must be a whole number >= 1"),
        (f"{SOUND}lots_of_a_share = 0x{'f' * 5000}\n", "source.lots_of_a_share = a number of 20000 bits"),
        ("[source]\nfiles = [1]\nsha256 = []\n", "source.files = [1] is not allowed: it must be a list of texts"),
        ("[source]\nfiles = []\nsha256 = [{}]\n", "source.sha256 = [{}] is not allowed"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "other.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"other\.toml") as error:
        read_market_file(path)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_a_market_file_is_no_config_and_no_change_of_a_run(tmp_path: Path) -> None:
    path = written(tmp_path)
    with pytest.raises(ConfigError, match="use --market-file"):
        read_file(path)
    with pytest.raises(ConfigError, match="drop --config, --market-file"):
        prepare({}, None, None, "run", None, {}, str(path))
    with pytest.raises(ConfigError, match=r"market\.k = -1"):
        prepare({}, None, None, None, None, {}, str(written(tmp_path, k=-1.0)))
    with pytest.raises(ConfigError, match="cannot be read"):
        prepare({}, None, None, None, None, {}, str(tmp_path / "absent.toml"))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["market.toml"]


def test_a_run_keeps_its_market_file_and_notices_a_change(tmp_path: Path) -> None:
    path = written(tmp_path)
    config, origins, _, found = prepare({"results": str(tmp_path / "results")}, None, None, None, None, {}, str(path))
    with store.begin(config, origins, found) as lock:
        folder = lock.folder
    assert (folder / store.MARKET).read_bytes() == path.read_bytes()
    assert listing.describe(folder).market_from == "x.csv (lobster), 2024-01-02 1 to 2"
    store.check_market(folder)
    copy = promote(folder)
    assert (copy / store.MARKET).read_bytes() == path.read_bytes()
    (folder / store.MARKET).write_text(path.read_text().replace("0.5", "0.6"))
    with pytest.raises(ConfigError, match="does not match its SHA-256"):
        store.check_market(folder)
    (folder / store.MARKET).unlink()
    with pytest.raises(ConfigError, match="restore it"):
        store.check_market(folder)


def test_presets_that_were_fitted_say_to_what() -> None:
    fitted = {name: found for name in presets() if (found := fitted_preset(name))}
    assert set(fitted) == {"amzn", "es"}
    assert fitted["amzn"].source["files"][0] == "AMZN_2012-06-21_34200000_57600000_message_1.csv"
    assert all(len(digest) == 64 for found in fitted.values() for digest in found.source["sha256"])
    assert market_file("x", "[market]\n") is None
