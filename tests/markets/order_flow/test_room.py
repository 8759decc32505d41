"""More orders than a market has room for are no want of memory, and say so."""

from __future__ import annotations

import pytest

import cli
from mmrl.kernels.account import Overfull
from mmrl.kernels.play import Draw
from mmrl.markets.contract import market_of
from mmrl.rollout.compiled import simulate
from mmrl.rollout.makers import unlearned
from mmrl.settings.build import build


def test_a_full_market_says_so_in_one_line_with_a_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    config = build({"market": {"name": "order-flow", "nt": 20}, "training": {"nb": 2}, "run": {"threads": 1}})
    parameters = market_of(config).dynamics.parameters(config.market)
    rules = parameters.rules.copy()
    rules["room"] = 60
    with pytest.raises(Overfull, match="more orders rest than the market has room for") as full:
        simulate(config, unlearned(config), parameters._replace(rules=rules), Draw(0, 0, 0, 2, 20), 1)
    assert cli._report(full.value, []) == 1
    line = capsys.readouterr().err
    assert line == f"mmrl: {full.value}\n" and "cancellations" in line and "memory" not in line
