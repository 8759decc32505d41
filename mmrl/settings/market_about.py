"""What a market is, in words: the beginning of its README; and its name in gymnasium."""

from __future__ import annotations

from importlib import resources

from mmrl.settings.registry import packages


def text_of(market: str) -> str:
    """The title and first paragraph of a market's README, each one line; empty where it has none."""
    try:
        page = resources.files(packages()[market]).joinpath("README.md").read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    paragraphs = [" ".join(block.split()) for block in page.split("\n\n")]
    return next((block.replace("*", "").replace("`", "") for block in paragraphs if block[:1] not in ("#", "")), "")


def brief(market: str) -> str:
    """The first sentence of it."""
    text = text_of(market)
    first, found, _ = text.partition(". ")
    return first + "." if found else text


def gymnasium_name(market: str) -> str:
    """The name of a market as an environment of gymnasium: order-flow is mmrl/OrderFlow-v0."""
    return f"mmrl/{''.join(word.capitalize() for word in market.replace('_', '-').split('-'))}-v0"
