"""Presets ship with the package, are valid, and say what they promise."""

from __future__ import annotations

from typing import get_args

import pytest

from mmrl.markets.book.settings import Settings
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config
from mmrl.settings.sources import presets, resolve
from tests.conftest import game_of

RULES = (
    "owner",
    "crossed",
    "market_order",
    "exhausted",
    "touch_size",
    "priority",
    "emptying_step",
    "rounding",
)


def test_the_promised_presets_are_there_and_valid() -> None:
    assert {"quickstart", "default", "lineage", "avellaneda-stoikov"} <= set(presets())
    for name in presets():
        resolve({}, preset=name)


def test_default_is_quickstart_over_twice_the_time_in_the_market_of_no_preset() -> None:
    config, quick = (resolve({}, preset=name)[0] for name in ("default", "quickstart"))
    assert config.market.model_copy(update={"size_skew": 0.0}) == Config().market
    assert config.model_copy(update={"market": config.market.model_copy(update={"nt": 500})}) == quick


@pytest.mark.parametrize("rule", RULES)
def test_lineage_takes_the_second_value_of_every_rule(rule: str) -> None:
    choices = get_args(Settings.model_fields[rule].annotation)
    assert len(choices) == 2
    assert getattr(Settings(), rule) == choices[0]
    assert getattr(resolve({}, preset="lineage")[0].market, rule) == choices[1]


def test_avellaneda_stoikov_is_the_published_game() -> None:
    config, _ = resolve({}, preset="avellaneda-stoikov")
    market, reward = game_of(config), config.reward
    assert (market.name, market.nt, market.fill, market.midprice) == (
        "avellaneda-stoikov",
        200,
        "poisson",
        100,
    )
    assert (market.sigma, market.k, market.arrival, market.horizon) == (2.0, 1.5, 140.0, 1.0)
    assert (reward.utility, reward.discount) == ("entropic", 1.0)


def test_cartea_jaimungal_is_the_same_game_for_another_utility() -> None:
    one, two = (resolve({}, preset=name)[0] for name in ("avellaneda-stoikov", "cartea-jaimungal"))
    assert one.market.model_copy(update={"start_inventory": 0, "skew": "none"}) == two.market
    reward = two.reward
    assert (reward.utility, reward.inventory_penalty, reward.final_penalty) == ("inventory-penalty", 0.01, 0.001)


@pytest.mark.parametrize(
    ("utility", "skew"),
    [
        ("entropic", "cara"),
        ("mean-variance", "cara"),
        ("cara", "cara"),
        ("linear", "none"),
        ("inventory-penalty", "none"),
    ],
)
def test_the_skew_of_avellaneda_stoikov_goes_with_the_utility(utility: str, skew: str) -> None:
    flags = {"utility": utility} | ({"inventory_penalty": 0.1} if utility == "inventory-penalty" else {})
    config, _ = resolve(flags, preset="avellaneda-stoikov")
    assert game_of(config).skew == skew
    assert game_of(config.but(nt=50)).skew == skew
    assert game_of(resolve({**flags, "skew": "risk"}, preset="avellaneda-stoikov")[0]).skew == "risk"


def test_an_unknown_preset_is_named_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match=r"unknown preset 'linage': there are .*quickstart: did you mean 'lineage'"):
        resolve({}, preset="linage")
    with pytest.raises(ConfigError, match="there are amzn, avellaneda-stoikov, cartea-jaimungal, default"):
        resolve({}, preset="zzz")
    with pytest.raises(ConfigError):
        resolve({}, preset="../presets/default")
