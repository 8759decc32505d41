"""The market in which runs are compared."""

from typing import Any

import pytest

from mmrl.commands.evaluate import playing_field
from mmrl.settings.build import build
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config


def game(**market: Any) -> Config:
    return build({"market": {"name": "avellaneda-stoikov", **market}})


@pytest.mark.parametrize(
    ("one", "other", "what"),
    [
        ({}, {"nt": 120}, "nt = 1000 and 120"),
        ({"sigma": 2.0}, {"sigma": 2.0000001}, "sigma = 2.0 and 2.0000001"),
        (
            {},
            {"nt": 9, "sigma": 1.0, "k": 2.0, "arrival": 5.0},
            "nt = 1000 and 9, sigma = 2.0 and 1.0, k = 1.5 and 2.0 and 1 more",
        ),
    ],
)
def test_what_differs_between_the_markets_of_two_runs_is_named(
    one: dict[str, Any], other: dict[str, Any], what: str
) -> None:
    with pytest.raises(
        ConfigError, match=rf"runs a and c were trained on different markets, {what}: name one with --market"
    ):
        playing_field([game(**one), game(**one), game(**other)], ["a", "b", "c"], None, [])


def test_markets_of_two_names_are_named() -> None:
    with pytest.raises(ConfigError, match="different markets, avellaneda-stoikov and book: name one"):
        playing_field([game(), build({})], ["a", "b"], None, [])


def test_where_a_training_starts_and_what_it_sees_make_no_other_market() -> None:
    assert playing_field([game(), game(start_inventory=3)], ["a", "b"], None, []).market == game().market
