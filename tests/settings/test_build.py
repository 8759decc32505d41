"""Values of every kind become a Config or one line that names key, value, what is allowed and what to write."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config

ANY: Any = Config


def refused(call: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        call()
    text = str(caught.value)
    assert "\n" not in text and "pydantic" not in text and "Input" not in text, text
    return text


def test_groups_are_tables_or_made_ones() -> None:
    config = Config(market={"name": "order-flow", "horizons": [1, 2]}, training={"nb": 7, "lr": 1})
    assert (config.market.name, config.training.nb) == ("order-flow", 7)
    assert repr((config.training.lr, config.market.model_dump()["horizons"])) == "(1.0, (1.0, 2.0))"
    assert Config(training=config.training).training is config.training
    assert Config(training={}) == Config()
    game = {"name": "avellaneda-stoikov", "skew": "auto"}
    assert Config(market=game, reward={"utility": "cara"}).market.model_dump()["skew"] == "cara"


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({"nb": [1]}, "nb = [1] is not allowed: Config takes groups of settings, "
         "market, reward, policy, training, run: write Config.of(nb=...)"),
        ({"lr": {}}, "lr = {} is not allowed: Config takes groups"),
        ({"lrr": 1}, "unknown key 'lrr': did you mean 'lr'?"),
        ({"trainin": {}}, "unknown group 'trainin': there are market, reward, policy, training, run: "
         "did you mean 'training'?"),
        ({"training": 3}, "training = 3 is not allowed: it must be a table of settings: "
         "write training={'nb': 100}, or Config.of(nb=100)"),
        ({"training": None}, "training = None is not allowed"),
        ({"market": "book"}, "market = 'book' is not allowed: it must be a table of settings: "
         "write market={'name': 'book'}, or Config.of(market='book')"),
        ({"reward": Config().training}, "reward = Training(nb=100"),
        ({"training": {"nb": 0}}, "training.nb = 0 is not allowed: it must be a whole number >= 1"),
        ({"training": {"lr": [0.1]}}, "training.lr = [0.1] is not allowed: it must be a number > 0, <= 1"),
        ({"training": {"lrr": 1}}, "unknown key 'training.lrr': did you mean 'training.lr'?"),
        ({"training": {1: 2}}, "unknown key 'training.1'"),
        ({"market": {"name": ["book"]}}, "market.name = ['book'] is not allowed: it must be one of book"),
        ({"market": {"name": 3}}, "market.name = 3 is not allowed"),
        ({"market": {"sigma": 1.0}}, "market.sigma has no effect: the market is book"),
        ({"training": {"td": True, "noadv": True}}, "drop --td or --noadv"),
    ],
)  # fmt: skip
def test_what_config_does_not_take_is_told_in_one_line(groups: dict[str, Any], said: str) -> None:
    assert said in refused(lambda: ANY(**groups))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"nt": [1]}, "market.nt = [1] is not allowed"),
        ({"nt": (1,)}, "market.nt = [1] is not allowed"),
        ({"nt": np.array([1])}, "market.nt = [1] is not allowed"),
        ({"lr": math.nan}, "training.lr = nan is not allowed: it must be a number > 0, <= 1"),
        ({"lr": -math.inf}, "training.lr = -inf is not allowed"),
        ({"lr": 10**400}, "training.lr = 1000000000"),
        ({"market": "order-flow", "horizons": [1, math.nan]},
         "market.horizons = [1, nan] is not allowed: it must be a list of at most 10 finite numbers"),
        ({"market": "order-flow", "horizons": [1.0, "a"]}, "market.horizons = [1.0, 'a'] is not allowed"),
        ({"market": {"name": "book"}}, "market.name = {'name': 'book'} is not allowed"),
        ({"market": [3]}, "market.name = [3] is not allowed"),
        ({"training": {"nb": 3}}, "unknown key 'training': it is a group: give its settings by name, such as nb"),
    ],
)  # fmt: skip
def test_a_refused_value_is_shown_as_it_was_given(settings: dict[str, Any], said: str) -> None:
    assert refused(lambda: Config.of(**settings)).startswith(said)
    assert refused(lambda: Config().but(**settings)).startswith(said)


@pytest.mark.parametrize("preset", [3, ["book"], {"nb": 5}])
def test_what_is_no_name_of_a_preset_is_told(preset: Any) -> None:
    assert refused(lambda: Config.of(preset)).startswith(f"unknown preset {preset!r}: there are ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[training]]\nlr = 0.1", "training = [{'lr': 0.1}] is not allowed: it must be a table of settings: "
         "write [training] once, above its settings"),
        ("training = 3", "training = 3 is not allowed: it must be a table of settings"),
        ("[[market]]\nname = 'book'", "market = [{'name': 'book'}] is not allowed: it must be a table of settings"),
        ("market = 3", "market.name = 3 is not allowed: it must be one of book"),
        ("[market]\nname = ['book']", "market.name = ['book'] is not allowed: it must be one of book"),
        ("[training.lr]\na = 1", "training.lr = {'a': 1} is not allowed: it must be a number"),
        ("nt = [1]", "market.nt = [1] is not allowed"),
        ("lr = nan", "training.lr = nan is not allowed"),
        ("[market]\nname = 'order-flow'\nhorizons = [1, inf]", "market.horizons = [1, inf] is not allowed"),
    ],
)  # fmt: skip
def test_a_file_is_refused_by_its_name_and_the_value_in_it(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "my.toml"
    path.write_text(text)
    assert refused(lambda: Config.of(file=str(path))).removeprefix("file ").startswith(f"{path}: {said}")


def test_the_plain_name_of_a_market_in_a_file_is_a_setting(tmp_path: Path) -> None:
    path = tmp_path / "my.toml"
    path.write_text("market = 'order-flow'")
    assert Config.of(file=str(path)).market.name == "order-flow"
