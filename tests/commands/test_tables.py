"""Every table of every command at 60, 80 and 120 columns: it fits, and each number of --json is there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len

from cli import main
from mmrl.bench import figures
from mmrl.calibrate.facts import DISTRIBUTION, KURTOSIS
from mmrl.calibrate.fits import Wanted, fit
from mmrl.calibrate.realism import Distance, Score
from mmrl.calibrate.source import source
from mmrl.calibrate.study import study
from mmrl.commands import calibrate, evaluate, replay_report, runs_table, show, simulate
from mmrl.commands.quote import Quotes, _for_readers, _json
from mmrl.evaluate.metrics import UNRELIABLE
from mmrl.markets.contract import spec_of
from mmrl.runs import config_file, listing
from mmrl.settings.market_file import MarketFile
from mmrl.settings.model import Config
from tests.calibrate.tapes import order_flow

GOOD = Path(__file__).resolve().parents[2] / "good-results"
WIDTHS = (60, 80, 120)
NUMBER = re.compile(r"(?<![\w.])(-?\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?)( %|[kMGT]\b)?")
SCALES = {"": 1.0, " %": 0.01, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
LONG = "avellaneda-stoikov_400-100-4950_gaus-ppo-clip-norm-adv_W-I-T"


def printed(text: str) -> list[tuple[float, float]]:
    """The numbers in a text, each with half of its last digit."""
    found = []
    for digits, unit in NUMBER.findall(text):
        scale, plain = SCALES[unit], digits.replace(",", "")
        mantissa, _, exponent = plain.partition("e")
        places = len(mantissa.partition(".")[2])
        found.append((float(plain) * scale, 0.5 * 10.0 ** (int(exponent or 0) - places) * scale * (1 + 1e-6)))
    return found


def numbers(data: Any, but: Iterable[str] = ()) -> Iterator[float]:
    """All numbers in JSON, apart from those of some keys; of a pair that is an interval half of its length."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key.endswith("_ci") and value is not None:
                yield (value[1] - value[0]) / 2
            elif key not in but:
                yield from numbers(value, but)
    elif isinstance(data, list):
        for value in data:
            yield from numbers(value, but)
    elif isinstance(data, int | float) and not isinstance(data, bool):
        yield float(data)


def holds(lines: Iterable[str], width: int, data: Any, but: Iterable[str] = ()) -> None:
    """The lines fit, but for single words, and each number is printed to the digits that are shown of it."""
    lines = [part for line in lines for part in line.split("\n")]
    wide = [line for line in lines if cell_len(line) > width and " " in line.strip()]
    assert not wide, (width, wide)
    shown = printed("\n".join(lines))
    for number in numbers(data, but):
        near = [half for value, half in shown if abs(value - number) <= half]
        assert near, (width, number, "\n".join(lines))


def compared(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    with pytest.raises(SystemExit):
        main([
            "evaluate", "--market", "avellaneda-stoikov", "--set", "nt=20", "--agent", "avellaneda-stoikov",
            "--agent", "symmetric", "--agent", "fixed:0.7", "--trajectories", "40", "--json",
        ])  # fmt: skip
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    for row in found["rows"]:
        row["fill_curve"] = row["fill_curve"] and tuple(row["fill_curve"])
    return found


def test_evaluate(capsys: pytest.CaptureFixture[str]) -> None:
    result = compared(capsys)
    learned = {**result["rows"][0], "agent": LONG, "epoch": 398, "actions": "sampled", "ce": UNRELIABLE, "ce_ci": None}
    rich = {**learned, "agent": LONG + "_1", "value_mean": -36_864.25, "value_ci": [-40_040.0, -33_688.5]}
    rich |= {"difference": -1_234_567.0, "difference_ci": [-1_300_000.0, -1_169_134.0], "pnl_fees": 0.0123}
    learned["pnl_fees"] = 1.5
    wild = {**result, "rows": [learned, rich], "split": {"pnl_fees": "fees"}}
    for each in (result, wild):
        for width in WIDTHS:
            text = list(evaluate.report(each, width))
            holds(text, width, each, but=("ce_effective_samples",))
            assert ("fees" in "\n".join(text)) == (each is wild)
    assert "optimality" not in "\n".join(evaluate.report({**wild, "rows": [{**learned, "optimality": None}]}, 80))


def test_replay() -> None:
    row = {
        "agent": LONG, "pnl": -743.25, "pnl_ci": [-1050.0, -436.5], "difference": 271.9, "difference_ci": [68.9, 474.9],
        "fills": 13_561, "fill_rate": 0.5772, "shares": 24_804.0, "volume": 5_498_021.0, "spread_quoted": 0.0931,
        "inventory_abs_mean": 73.03, "inventory_most": 491.0, "max_drawdown": 756.6, "sharpe_5min": -0.7487,
        "pnl_per_share": -0.02997, "pnl_spread": 194.6, "pnl_closing": -351.4, "pnl_fees": -1.5,
        "pnl_inventory": -937.8, "adverse_1s": -604.3, "adverse_10s": -894.6, "adverse_60s": -1004.0,
    }  # fmt: skip
    simulated = {"agent": "simulated", "pnl": 3146.0, "pnl_ci": [3131.0, 3161.0], "shares": 39_085.0}
    simulated |= {"pnl_spread": 3140.0, "pnl_inventory": 5.978, "inventory_abs_mean": 13.97}
    short = {**row, "agent": "naive", "pnl": -2.0, "pnl_ci": None, "difference_ci": None, "fill_rate": None}
    for width in WIDTHS:
        for title, columns in replay_report.COLUMNS.items():
            text = list(replay_report._table(title, columns, [row, short, simulated], width))
            keys = [key for shown in columns.values() for key in shown if key]
            holds(text, width, [{key: each.get(key) for key in keys} for each in (row, short, simulated)])


def test_lists_of_runs() -> None:
    infos = listing.find_runs(GOOD)
    long = replace(infos[0], name=LONG, value_mean=-36_864.25, value_half=3_175.8, epoch=123_456, target=1_000_000)
    times = ("started", "updated")
    for width in WIDTHS:
        for some in (infos, [*infos, long, replace(long, name=LONG + "_1", optimality=None)]):
            rows = [runs_table.as_row(info) for info in some]
            holds(runs_table.listed(some, runs_table.USUAL, width), width, rows, times)
            holds(runs_table.listed(some, tuple(runs_table.COLUMNS), width), width, rows, times)
        cells = runs_table.listed(infos, ("name", "nb", "reward.utility"), width)
        config = config_file.read_config(Path(infos[0].folder)).config
        assert cells[0].split() == ["name", "nb", "reward.utility"]
        assert cells[1].split()[1:] == [str(config.training.nb), config.reward.utility]


def test_a_run() -> None:
    for info in listing.find_runs(GOOD):
        for width in WIDTHS:
            lines = list(show.about(info, width))
            lines = lines[: lines.index("next")]  # a command is never broken
            holds(lines, width, runs_table.as_row(info), ("started", "updated"))


def test_bench() -> None:
    """Of one commit, and of two."""
    found = [
        {"name": "rollout/avellaneda-stoikov/nb=10000/threads=2", "value": 9.8e6, "unit": "steps/s"}
        | {"low": 123_456_789.0, "high": 1.5e9, "loops": 27.5},
        {"name": "epoch/default/memory", "value": 556.0, "unit": "MB", "low": 550.0, "high": 1e3, "loops": None},
    ]
    compared = [{**f, "there": 1.25, "ratio": 1.02, "ratio_low": 0.98, "ratio_high": 1.5} for f in found]
    for rows in (found, compared):
        for width in WIDTHS:
            holds(figures.report(rows, width), width, [f["value"] for f in rows])


def test_simulate() -> None:
    near = {str(ticks): 12.25 / ticks for ticks in (1, 2, 3, 5, 8, 13, 21, 34)}
    flow = {"bid": {"rate": 1234.5, "mean_shares": 3.25, "by_distance": near}}
    flow["ask"] = {"rate": 0.00123, "mean_shares": None, "by_distance": {"-1": 0.5, "1": 2.5}}
    found: dict[str, Any] = {
        "market": "order-flow", "agent": LONG, "seed": 7, "time_unit": "minute", "messages": 100_000, "events": 98_765,
        "elapsed": 4321.5, "duration_mean": 0.0437, "limit_orders": flow, "cancellations": flow,
        "market_orders": {side: {"rate": 1.5, "mean_shares": 2.0} for side in ("bid", "ask")},
        "spread": {"mean": 1.25, "share_of_time": {str(k): 0.5**k for k in range(1, 10)}},
        "depth": {"bid": [10.0 + k / 8 for k in range(10)], "ask": [1e6 + k for k in range(10)]},
        "mid": {"rate": 3.25, "up": 0.5125},
    }  # fmt: skip
    for width in WIDTHS:
        text = list(simulate.report(found, width))
        shares = {key: found[key] for key in found if key not in ("depth", "spread")}
        holds(text, width, shares)
        holds([line.replace("ticks;", "") for line in text], width, found["depth"]["bid"])
        for share in found["spread"]["share_of_time"].values():
            assert f"{100 * share:.1f}" in "\n".join(text)


def test_calibrate() -> None:
    tape, _ = order_flow(1, 3_000)
    found = study(tape)
    fitted = fit("order-flow", found, Wanted(queue_sizes=0, exponentials=0))
    about = source(found, fitted)
    whole = list(calibrate.report(found, fitted, about, 400))
    figures = [value for value, _ in printed("\n".join(whole[: whole.index("counted (line 1) and fitted (line 2):")]))]
    assert len(figures) > 40
    for width in WIDTHS:
        lines = list(calibrate.report(found, fitted, about, width))
        holds(lines[: lines.index("counted (line 1) and fitted (line 2):")], width, figures)
        assert "± is half of a 95 % interval" in " ".join(lines)


def test_what_follows_the_sign_is_half_of_the_interval() -> None:
    """Of 50 blocks: Student's t of 49 degrees of freedom is 2.0096."""
    estimate = study(order_flow(1, 3_000)[0]).sizes.limit.mean
    known = replace(estimate, value=3.0, error=0.1, blocks=50)
    assert calibrate._shown(known) == "3 ± 0.2"
    assert calibrate._shown(replace(known, error=1.0)) == "3 ± 2"
    assert calibrate._shown(replace(known, error=0.5, blocks=0)) == "3 ± 0.98"
    assert calibrate._shown(replace(known, blocks=9)) == "3"


def test_check() -> None:
    tape, _ = order_flow(1, 300)
    far, near = Distance(0.123, 0.1, 0.15, 12.3, 11.1, 13.4), Distance(0.2, 0.19, 0.21, 2.5, 2.25, 2.75)
    scores = [
        Score("times between events in seconds of the clock", KURTOSIS, (0.5,), (1.25,), (2.5,), far, near, near),
        Score("spread", DISTRIBUTION, (1.0, 3.0), (0.6, 0.4), (0.2, 0.8), near, far, None),
    ]
    fitted = MarketFile("market.toml", "", "0" * 64, {"files": ["a.csv"]})
    for width in WIDTHS:
        lines = list(calibrate.distances(scores, fitted, tape, width))
        holds(
            lines,
            width,
            [[0.123, 0.1, 0.15, 12.3, 11.1, 13.4, 0.2, 2.5], [0.2, 0.19, 0.21, 0.123, 2.25, 2.75], [1.25, 2.5]],
        )


def test_quote() -> None:
    spec = spec_of(Config())
    policy = np.array([[[1234567.0 + k for k in range(len(spec.axes))]]])
    found = Quotes(LONG, 398, np.array([0.5]), np.array([-3]), spec.axes, policy, policy * 0.5)
    for width in WIDTHS:
        holds(_for_readers(found, spec, width), width, json.loads(_json(found, next(found.rows()))))
