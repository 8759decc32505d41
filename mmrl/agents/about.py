"""What each agent is, in a sentence, with its source and how it is written on the command line."""

from typing import NamedTuple


class About(NamedTuple):
    """An agent in words."""

    name: str
    text: str
    source: str
    written: str = ""
    """With what follows its name; empty: nothing does."""


_ALL = (
    About(
        "naive",
        "The simple maker of the market's own: it quotes about what others show, whatever it holds.",
        "the market's README",
    ),
    About(
        "symmetric",
        "A constant spread around the mid, the mean over time of the inventory strategy's, whatever it holds.",
        "Avellaneda & Stoikov (2008), section 3.3",
    ),
    About(
        "avellaneda-stoikov",
        "Quotes around a reservation price that moves away from the inventory held.",
        "Avellaneda & Stoikov, Quantitative Finance 8(3), 2008",
    ),
    About(
        "glft",
        "The optimum for CARA utility with bounded inventory, by a linear system of equations.",
        "Guéant, Lehalle & Fernandez-Tapia, Mathematics and Financial Economics 7(4), 2013",
    ),
    About(
        "glft-asymptotic",
        "The same far from the end, in closed form.",
        "Guéant, Lehalle & Fernandez-Tapia (2013), section 4",
    ),
    About(
        "cartea-jaimungal",
        "The optimum for the mean of the profit less a running and a final penalty on the inventory squared.",
        "Cartea, Jaimungal & Penalva (2015), section 10.2",
    ),
    About(
        "fixed",
        "Always the same distance on both sides.",
        "by hand",
        "fixed:0.7",
    ),
    About(
        "best-fixed",
        "The best of all makers that always quote the same, found by a search of some seconds.",
        "by search",
    ),
    About(
        "best-linear",
        "The best of all makers whose quotes are linear in the inventory and the time left, found by a search.",
        "by search",
    ),
    About(
        "optimum",
        "The exact optimum, where the market can be solved.",
        "the market's README",
    ),
    About(
        "sb3",
        "A policy of stable-baselines3 that was trained in an environment of mmrl.gym. Loading the file runs code.",
        "stable-baselines3",
        "sb3:FILE.zip",
    ),
)
ABOUT = {agent.name: agent for agent in _ALL}
