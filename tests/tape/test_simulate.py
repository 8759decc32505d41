"""`mmrl simulate`: its files as a stranger reads them, what it refuses, and what it leaves behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli import main
from mmrl.kernels.play import Draw
from mmrl.markets.contract import market_of
from mmrl.rollout.compiled import simulate as roll_out
from mmrl.rollout.quoters import heuristic, learned
from mmrl.rollout.streams import stream_seed
from mmrl.settings.build import build
from mmrl.settings.model import Config
from mmrl.tape import stream as tape_stream
from mmrl.tape.lobster import LobsterFiles
from mmrl.tape.stream import taped
from tests.markets.order_flow.test_law import MID_GOES_UP, QUEUE_LAW
from tests.tape.reader import DELETION, EXECUTION, REDUCTION, SUBMISSION, Replay, rows_of

ROOT = Path(__file__).resolve().parents[2]
WALKING = ("--set", "size_law=geometric", "--set", "limit_size=5", "--set", "market_size=12")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def mmrl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in an empty folder; returns exit code, standard output and standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            main(list(arguments))
        code = ended.value.code
        assert isinstance(code, int)
        return code, *capsys.readouterr()

    return run


def simulate(mmrl: Run, *arguments: str) -> dict[str, Any]:
    """Simulate the order flow into `t`; returns the JSON."""
    code, out, err = mmrl("simulate", "--market", "order-flow", "-o", "t", "--json", *arguments)
    assert code == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def rounded(figures: dict[str, Any]) -> Any:
    """Figures to 9 digits: sums over pieces of another length round otherwise."""
    return json.loads(json.dumps(figures), parse_float=lambda text: f"{float(text):.9g}")


@pytest.mark.parametrize("agent", [("none",), ("naive", "--set", "nt=15"), ("fixed:3@0.01", "--set", "nt=40")])
@pytest.mark.parametrize("sizes", [(), WALKING])
def test_every_row_of_the_book_follows_from_the_messages(
    mmrl: Run, tmp_path: Path, agent: tuple[str, ...], sizes: tuple[str, ...]
) -> None:
    simulate(mmrl, "--agent", *agent, *sizes, "--events", "4000", "--levels", "80", "--seed", "3")
    replay = Replay(tmp_path / "t_message_80.csv", tmp_path / "t_orderbook_80.csv")
    assert sum(replay.kinds.values()) == 3999
    assert min(replay.kinds[kind] for kind in (SUBMISSION, DELETION, EXECUTION)) > 100


def _config(**market: Any) -> Config:
    return build({"market": {"name": "order-flow", **market}})


def test_a_maker_that_takes_and_reduces(tmp_path: Path, untrained: Callable[..., Any]) -> None:
    """Random sizes, distances and market orders of the maker, over many episodes."""
    config = _config(actions="limit+market", nt=60, post_only=False, size_centre=3.0, size_scale=3.0)
    with LobsterFiles(str(tmp_path / "t"), 80, 0.01, "min") as files:
        for piece in taped(config, learned(untrained(config)), 5, 80, 6_000):
            files.write(piece)
    assert min(Replay(*files.paths).kinds.values()) > 40


def test_fewer_levels_are_the_best_of_many(mmrl: Run, tmp_path: Path) -> None:
    for levels in ("80", "2"):
        simulate(mmrl, "--events", "2000", "--levels", levels)
    many, few = (rows_of(tmp_path / f"t_orderbook_{levels}.csv") for levels in (80, 2))
    assert [row[:8] for row in many] == few
    assert (tmp_path / "t_message_80.csv").read_bytes() == (tmp_path / "t_message_2.csv").read_bytes()


@pytest.mark.parametrize("agent", ["none", "naive"])
def test_a_seed_gives_one_tape_however_it_is_cut(
    mmrl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, agent: str
) -> None:
    from mmrl.markets.order_flow import messages

    plays = [] if agent == "none" else ["--set", "nt=50"]
    options = ["--events", "5000", "--levels", "3", "--agent", agent, *plays]
    first = simulate(mmrl, *options, "--seed", "7")
    files = [tmp_path / "t_message_3.csv", tmp_path / "t_orderbook_3.csv"]
    wanted = [path.read_bytes() for path in files]
    monkeypatch.setattr(messages, "NUMBERS", 1)
    monkeypatch.setattr(messages, "FEWEST", 8)  # too few for any event: it must grow
    assert rounded(simulate(mmrl, *options, "--seed", "7", "--force")) == rounded(first)
    assert [path.read_bytes() for path in files] == wanted
    simulate(mmrl, *options, "--seed", "8", "--force")
    assert [path.read_bytes() for path in files] != wanted


def test_a_time_cuts_the_same_tape(mmrl: Run, tmp_path: Path) -> None:
    simulate(mmrl, "--events", "3000", "--levels", "1")
    rows = rows_of(tmp_path / "t_message_1.csv")
    simulate(mmrl, "--time", "20", "--levels", "1", "--force")
    assert rows_of(tmp_path / "t_message_1.csv") == [row for row in rows if float(row[0]) < 34_200 + 20 * 60]


@pytest.mark.parametrize("decide_by", ["time", "events"])
def test_the_maker_plays_as_in_a_rollout(untrained: Callable[..., Any], decide_by: str) -> None:
    """The first episode is the trajectory that the rollout draws from the same stream, message by message."""
    config = _config(
        nt=200, decide_by=decide_by, actions="limit+market", latency_law="exponential", latency=0.05,
        hawkes_decays=(3.0,), hawkes_same=(0.4,), hawkes_cross=(0.1,), decision_events=7,
    )  # fmt: skip
    quoter = learned(untrained(config))
    market = market_of(config)
    tape = np.zeros((20_000, 7 + 4 * 2))
    parameters = market.dynamics.parameters(config.market, tape=tape)
    roll_out(config, quoter, parameters, Draw(stream_seed(4, "tape"), 0, 0, 1, 200), workers=1)
    count = int((tape[:, 1] > 0).sum())
    assert 500 < count < len(tape)
    pieces = list(taped(config, quoter, 4, 2, count))
    found = np.column_stack([np.concatenate([np.c_[piece[k]] for piece in pieces]) for k in range(8)])
    np.testing.assert_array_equal(found, tape[:count])
    assert {0, 1, 2} == set(found[:, 6])


def test_an_episode_ends_without_orders_of_the_maker() -> None:
    """Episodes of 2 minutes: what the maker had in the book is withdrawn before it begins anew, at the same moment."""
    config, episodes = _config(nt=10), 0
    resting: dict[Any, Any] = {}
    for piece in taped(config, heuristic(), 1, 1, 20_000):
        for when, kind, order, shares, owner in zip(
            *(column.tolist() for column in (piece.time, piece.kind, piece.order, piece.shares, piece.owner)),
            strict=True,
        ):
            if owner != 1:
                continue
            if kind == SUBMISSION:
                if int(when / 2 + 1e-9) > episodes:
                    episodes = int(when / 2 + 1e-9)
                    assert not resting
                resting[order] = shares
            else:
                resting[order] -= shares
                resting = {number: left for number, left in resting.items() if left}
    assert episodes > 100


def test_the_summary_counts_what_the_files_hold(mmrl: Run, tmp_path: Path) -> None:
    found = simulate(mmrl, "--events", "3000", "--levels", "4", *WALKING)
    messages: list[Any] = [(float(row[0]), *map(int, row[1:])) for row in rows_of(tmp_path / "t_message_4.csv")]
    books = [list(map(int, row)) for row in rows_of(tmp_path / "t_orderbook_4.csv")]
    minutes = (messages[-1][0] - messages[0][0]) / 60
    near: Counter[tuple[int, int, int]] = Counter()
    spreads: dict[int, float] = defaultdict(float)
    depth, market_orders, up, down = 0.0, set(), 0, 0
    for k in range(1, len(messages)):
        now, kind, _, _, price, direction = messages[k]
        before, after = books[k - 1], books[k]
        if kind == EXECUTION:
            market_orders.add((now, direction))
        else:
            away = before[0] - price if direction == 1 else price - before[2]
            near[min(kind, 2), direction, away // 100] += 1
        lasted = (now - messages[k - 1][0]) / 60
        spreads[(before[0] - before[2]) // 100] += lasted
        depth += lasted * before[4 * 2 + 3]  # third level of the bids
        up += after[0] + after[2] > before[0] + before[2]
        down += after[0] + after[2] < before[0] + before[2]
    assert found["messages"] == 3000
    assert found["elapsed"] == pytest.approx(minutes)
    assert found["events"] == sum(near.values()) + len(market_orders)
    assert found["duration_mean"] == pytest.approx(minutes / found["events"])
    for side, direction in (("bid", 1), ("ask", -1)):
        of_side = sum(1 for _, hit in market_orders if hit == direction)
        assert found["market_orders"][side]["rate"] == pytest.approx(of_side / minutes)
        for name, kind in (("limit_orders", SUBMISSION), ("cancellations", REDUCTION)):
            wanted = {str(i): n / minutes for (what, hit, i), n in near.items() if (what, hit) == (kind, direction)}
            assert found[name][side]["by_distance"] == pytest.approx(wanted)
    assert found["spread"]["share_of_time"] == pytest.approx({str(s): t / minutes for s, t in spreads.items()})
    assert found["depth"]["bid"][2] == pytest.approx(depth / minutes)
    assert found["mid"] == pytest.approx(
        {"rate": (up + down) / minutes, "up": up / (up + down), "down": down / (up + down)}
    )


@pytest.fixture(scope="module")
def background(tmp_path_factory: pytest.TempPathFactory) -> tuple[np.ndarray, np.ndarray]:
    """Messages and best levels of the published background, read from its files."""
    prefix = tmp_path_factory.mktemp("background") / "cst"
    with LobsterFiles(str(prefix), 1, 0.01, "min") as files:
        for piece in taped(_config(levels=6), None, 2, 1, 700_000):
            files.write(piece)
    message, book = (np.loadtxt(path, delimiter=",") for path in files.paths)
    return message, book


def test_where_the_mid_goes(background: tuple[np.ndarray, np.ndarray]) -> None:
    """P(mid goes up | b at the bid, a at the ask, spread one tick) of Cont, Stoikov & Talreja (2010) to 0.01."""
    ask, a, bid, b = background[1].T
    mid = ask + bid
    moved = np.flatnonzero(np.diff(mid))
    rows = np.arange(moved[-1] + 1)
    after = moved[np.searchsorted(moved, rows)]
    up = mid[after + 1] > mid[rows]
    found = np.array(
        [
            [up[(ask[rows] - bid[rows] == 100) & (b[rows] == i) & (a[rows] == j)].mean() for j in (1, 2, 3)]
            for i in (1, 2, 3)
        ]
    )
    found = (found + 1 - found.T) / 2  # both sides are alike: half the noise
    np.testing.assert_allclose(found, np.array(MID_GOES_UP)[:3, :3], atol=0.01)


def test_law_of_the_queue_at_distance_one(background: tuple[np.ndarray, np.ndarray]) -> None:
    """pi(n) ~ prod of birth(j - 1) / death(j) to 0.005, from rates at which queues of n orders grow and shrink."""
    seconds, kind, _, _, price, direction = background[0].T
    ask, _, bid, b = background[1].T
    held = np.where(bid == ask - 100, b, 0).astype(int)[:-1]  # shares a tick from the ask
    there = (price[1:] == ask[:-1] - 100) & (direction[1:] == 1) & (ask[1:] == ask[:-1])
    spent = np.bincount(held, np.diff(seconds))
    births = np.bincount(held[there & (kind[1:] == SUBMISSION)], minlength=len(spent))
    deaths = np.bincount(held[there & (kind[1:] != SUBMISSION)], minlength=len(spent))
    law = np.cumprod([1.0, *(births[:8] / spent[:8] / (deaths[1:9] / spent[1:9]))])
    np.testing.assert_allclose((law / law.sum())[:6], QUEUE_LAW, atol=0.005)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--market book --events 5 -o t", "market 'book' has no tape of messages: use --market order-flow"),
        ("--events 5 -o t", "has no tape of messages: use --market order-flow"),
        ("--market order-flow -o t", "either --events N or --time T"),
        ("--market order-flow --events 5 --time 3 -o t", "either --events N or --time T"),
        ("--market order-flow --time nan -o t", "--time = nan is not allowed"),
        ("--market order-flow --events 0 -o t", "--events = '0' is not allowed"),
        ("--market order-flow --events 5 --levels 0 -o t", "--levels = '0' is not allowed"),
        ("--market order-flow --events 5", "'--output' / '-o'"),
        (
            "--market order-flow --events 5 -o t --set midprice=1e9 --set tick=1e6",
            "prices are at most 1,000,000: lower it",
        ),
        ("--market order-flow --events 5 -o no/t", "there is no folder no"),
        ("--market order-flow --events 5 -o t --agent nix", "unknown agent 'nix'"),
        ("--market order-flow --events 5 -o t --agent naive --run r", "drop one of them"),
        ("--market order-flow --events 5 -o t --preset nix", "unknown preset 'nix'"),
        ("--market book --events 5 -o t --preset order-flow", "--market book contradicts --preset order-flow"),
        ("--market order-flow --events 5 -o t --set lr=1", "only market and reward settings"),
        ("--market order-flow --events 5 -o t --set utility=cara", "nobody is rewarded"),
        ("--market order-flow --events 5 -o t --set position_limit=5", "no maker trades: name one with --agent"),
        ("--market order-flow --events 5 -o t --set actions=limit+market", "no maker trades"),
        ("--market order-flow --events 5 -o t --set nt=5", "no maker trades"),
        ("--market order-flow --events 5 -o t --epoch last", "--epoch has no effect without --run"),
        ("--market order-flow --events 5 -o t --agent naive --stochastic", "--stochastic has no effect without --run"),
        ("--market order-flow --events 5 -o t --set levels=0", "levels = 0 is not allowed"),
        ("--market order-flow --events 5 -o t --set tick=0.00005", "multiples of 0.0001"),
    ],
)
def test_refusals_are_one_line_and_create_nothing(mmrl: Run, tmp_path: Path, arguments: str, said: str) -> None:
    code, out, err = mmrl("simulate", *arguments.split())
    assert (code, out, err.count("\n")) == (2, "", 1), err
    assert said in err
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_not_there(mmrl: Run, tmp_path: Path) -> None:
    code, _, err = mmrl("simulate", "--run", "nix", "--events", "5", "-o", "t")
    assert (code, err.count("\n")) == (3, 1)
    assert not list(tmp_path.iterdir())


def test_files_are_overwritten_with_force_only(mmrl: Run, tmp_path: Path) -> None:
    (tmp_path / "t_orderbook_1.csv").write_text("mine")
    arguments = ("simulate", "--market", "order-flow", "--events", "5", "--levels", "1", "-o", "t")
    code, out, err = mmrl(*arguments)
    assert (code, out) == (2, "")
    assert "t_orderbook_1.csv exists" in err
    assert [path.name for path in tmp_path.iterdir()] == ["t_orderbook_1.csv"]
    assert (tmp_path / "t_orderbook_1.csv").read_text() == "mine"
    assert mmrl(*arguments, "--force")[0] == 0
    assert len(rows_of(tmp_path / "t_orderbook_1.csv")) == 5


def test_a_folder_takes_files_named_by_the_market(mmrl: Run, tmp_path: Path) -> None:
    (tmp_path / "tapes").mkdir()
    code, out, err = mmrl("simulate", "--preset", "order-flow-fast", "--events", "5", "--levels", "1", "-o", "tapes")
    assert code == 0
    assert sorted(path.name for path in (tmp_path / "tapes").iterdir()) == [
        "order-flow_message_1.csv", "order-flow_orderbook_1.csv",
    ]  # fmt: skip
    assert out.startswith("order-flow, seed 0\n5 messages")
    assert "wrote tapes/order-flow_message_1.csv" in err


def test_a_failure_midway_leaves_nothing(mmrl: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        yield next(taped(_config(), None, 0, 1, 100))
        assert len(list(tmp_path.iterdir())) == 3, "it is being written"
        raise OSError(28, "No space left on device", "t_message_1.csv")

    (tmp_path / "t_message_1.csv").write_text("mine")
    monkeypatch.setattr(tape_stream, "taped", broken)
    code, _, err = mmrl("simulate", "--market", "order-flow", "--events", "5", "--levels", "1", "-o", "t", "--force")
    assert (code, err.count("\n")) == (1, 1)
    assert "No space left" in err
    assert [path.name for path in tmp_path.iterdir()] == ["t_message_1.csv"]
    assert (tmp_path / "t_message_1.csv").read_text() == "mine"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stop_leaves_nothing(tmp_path: Path, number: int, code: int) -> None:
    command = [sys.executable, str(ROOT / "cli.py"), "simulate", "--market", "order-flow", "--events", "10000000"]
    process = subprocess.Popen(
        [*command, "-o", "t"], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            if any(path.stat().st_size for path in tmp_path.iterdir()):
                break
            time.sleep(0.1)
        else:
            pytest.fail("nothing was written in a minute")
        process.send_signal(number)
        assert process.wait(30) == code
    finally:
        process.kill()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--events", "1" + "0" * 30), "the disk has"),
        (("--time", "1e300"), "--time = 1e+300 is not allowed: it must be > 0 and <= 1e+07"),
    ],
)
def test_a_tape_without_end_is_refused(
    words: tuple[str, str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import cli

    with pytest.raises(SystemExit) as ended:
        cli.main(["simulate", "--market", "order-flow", *words, "-o", str(tmp_path / "t")])
    error = capsys.readouterr().err
    assert ended.value.code == 2 and said in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
