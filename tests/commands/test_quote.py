"""`mmrl quote` against the curves of `mmrl evaluate --quotes`, which come another way, and its table against itself."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from cli import main

GOOD = str(Path(__file__).resolve().parents[2] / "good-results")
GAME = ("avellaneda-stoikov-ppo", "--results", GOOD)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    out, err = capsys.readouterr()
    assert not ended.value.code, err
    return out


def test_quotes_are_those_that_evaluate_draws(capsys: pytest.CaptureFixture[str]) -> None:
    drawn = json.loads(said(capsys, "evaluate", *GAME, "--agent", "optimum", "--quotes", "--json"))
    panels = {(panel["quote"], panel["time"]): panel["by"] for panel in drawn["panels"]}
    at = drawn["inventory"].index(3)
    found = json.loads(said(capsys, "quote", *GAME, "--inventory", "3", "--time", "0.5", "--json"))
    assert (found["quotes"]["time"], found["quotes"]["inventory"]) == (0.5, 3)
    for side in ("bid distance", "ask distance"):
        by = panels[side, 0.5]
        assert found["quotes"][side] == pytest.approx(by[GAME[0]][at], rel=1e-6)
        assert found["quotes"][f"optimum {side}"] == pytest.approx(by["optimum"][at], rel=1e-6)
    # who holds shares asks for less and bids for less
    short = json.loads(said(capsys, "quote", *GAME, "--inventory", "-3", "--time", "0.5", "--json"))
    assert short["quotes"]["bid distance"] < found["quotes"]["bid distance"]
    text = said(capsys, "quote", *GAME, "--inventory", "3", "--time", "0.5")
    assert f"{found['quotes']['bid distance']:.4f}" in text and f"{found['quotes']['optimum bid distance']:.4f}" in text


def test_a_table_has_all_inventories_and_times_or_those_that_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    def rows(*more: str) -> dict[tuple[float, float], list[float]]:
        read = csv.reader(io.StringIO(said(capsys, "quote", *GAME, "--table", *more)))
        assert next(read)[:4] == ["time", "inventory", "bid distance", "ask distance"]
        return {(float(t), float(q)): [float(x or "nan") for x in rest] for t, q, *rest in read}

    everything, one, there = rows(), rows("--inventory", "3"), rows("--inventory", "3", "--time", "0.5")
    times, held = ({key[k] for key in everything} for k in (0, 1))
    assert len(everything) == len(held) * len(times) and {-10.0, 0.0, 10.0} <= held and {0.0, 0.5} <= times
    assert one.keys() == {(t, 3.0) for t in times} and there.keys() == {(0.5, 3.0)}
    for key, quotes in [*one.items(), *there.items()]:  # sums of another batch round otherwise
        assert quotes == pytest.approx(everything[key], rel=1e-5, nan_ok=True)
    listed = json.loads(said(capsys, "quote", *GAME, "--table", "--json", "--inventory", "3"))["quotes"]
    assert [q["bid distance"] for q in listed] == pytest.approx([bid for bid, *_ in one.values()], rel=1e-6)


def test_where_the_market_is_not_solved_there_is_no_optimum(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "quote", "quickstart", "--results", GOOD, "--inventory", "2")
    assert "optimum" not in text and "bid size" in text and "what else it sees is at its mean" in text


@pytest.mark.parametrize(("flag", "value"), [("--time", "1.5"), ("--epoch", "7777")])
def test_what_cannot_be_is_refused(flag: str, value: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["quote", *GAME, flag, value])
    out, err = capsys.readouterr()
    assert ended.value.code == 2 and flag in err and value in err and not out and err.count("\n") == 1
