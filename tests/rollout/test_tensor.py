"""The tensor engine against the compiled law: exact matching, equal laws, and no wait for the host in a step."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.kernels import kernels_per_step
from mmrl.kernels import tensor_devices
from mmrl.kernels.account import DISCARDED
from mmrl.kernels.random import next_word, normal, poisson, seed_stream, uniform
from mmrl.kernels.tensor_random import device_generator, poisson_by_inversion
from mmrl.learn.normaliser import RunningNormaliser
from mmrl.learn.policy import make_policy
from mmrl.learn.returns import LearningBatch, learning_batch
from mmrl.learn.tensor_features import TensorFeatures
from mmrl.learn.trainer import Trainer
from mmrl.learn.update import make_optimiser, update
from mmrl.markets.avellaneda_stoikov import dynamics as game
from mmrl.markets.avellaneda_stoikov.tensor import TensorMarket as TensorGame
from mmrl.markets.book import tensor as book_tensor
from mmrl.markets.book.limit_order_book import LimitOrderBook
from mmrl.markets.book.tensor import TensorMarket as TensorBook
from mmrl.markets.book.tensor_state import BLOCK
from mmrl.markets.contract import spec_of
from mmrl.rollout import compiled, devices, tensor
from mmrl.rollout.devices import resolve, resolve_device
from mmrl.rollout.quoters import fixed, heuristic, table
from mmrl.rollout.tensor import TensorEngine
from mmrl.rollout.tensor_maker import TensorMaker
from mmrl.settings.build import build
from mmrl.settings.model import Config
from tests.conftest import book_of, game_of
from tests.markets.book.stage import Book

CPU = torch.device("cpu")

LINEAGE = {
    "owner": "maker",
    "crossed": "dropped",
    "market_order": "walk",
    "exhausted": "refilled",
    "emptying_step": "discarded",
    "rounding": "nearest",
}


def _config(**market: Any) -> Config:
    return Config(market=market)


@pytest.mark.parametrize("market_order", ["best", "walk"])
@pytest.mark.parametrize("branch", [True, False])
def test_matching_equals_the_compiled_book(market_order: str, branch: bool) -> None:
    rng, n = np.random.default_rng(3), 4
    law = TensorBook(book_of(_config(market_order=market_order, nt=300, seed_spread=1.0)), CPU)
    law.may_branch = branch
    s = law.empty_books(n)
    books = [LimitOrderBook(law.base, law.base + law.levels - 1) for _ in range(n)]
    centre = math.floor(law.start)
    for b, book in enumerate(books):
        for side in (0, 1):
            for _ in range(30):
                level, shares = centre + (1 - 2 * side) * -int(rng.integers(1, 200)), int(rng.integers(1, 20))
                index = level if side == 0 else law.width - 1 - level
                row = side * n + b
                s.total[row, index] += shares
                s.blocks[row, index // 64] += shares
                (book.bid, book.ask)[side](shares, level + law.base)
    alive = torch.ones(n, dtype=torch.bool)
    for _ in range(80):
        quote = np.stack([rng.integers(-30, 12, n), rng.exponential(0.4, n)] * 2, 1).astype(float)
        quote[:, 3] = rng.exponential(0.4, n)
        for b, book in enumerate(books):
            mid = float(s.mid[b])
            for side, name in ((0, "bid"), (1, "ask")):
                k, ticks = int(quote[b, 2 * side]), quote[b, 2 * side + 1] / 0.01
                level = math.floor(mid - ticks + 1e-7) if side == 0 else math.ceil(mid + ticks - 1e-7)
                if k > 0:
                    (book.bid, book.ask)[side](k, level + law.base, "maker")
                elif k < 0:
                    book.cancel(name, -k, level + law.base)
        law.act(s, torch.tensor(quote), alive)
        law.move(s, torch.tensor(rng.normal(size=n)) * 4, alive)
        counts = rng.poisson(2.0, 2 * n)
        for b, book in enumerate(books):
            mid = float(s.mid[b]) + law.base
            book.sell(10**9, math.floor(mid) + 1)
            book.buy(10**9, math.ceil(mid) - 1)
            for name, take in (("ask", book.buy), ("bid", book.sell)):
                best, count = book.best(name), int(counts[b + n * (name == "ask")])
                if best is not None and count:
                    take(count if market_order == "walk" else min(count, best[1]))
        law.trade(s, torch.tensor(counts))
        for b, book in enumerate(books):
            assert (int(s.cash[b]), int(s.inventory[b])) == (book.cash, book.inventory)
            for row, name in ((b, "bid"), (n + b, "ask")):
                there = torch.arange(law.width)[s.total[row] > 0].flip(0).tolist()
                levels = [i if name == "bid" else law.width - 1 - i for i in there]
                mine = [
                    (p + law.base, int(s.total[row, i]), int(s.own[row, i])) for p, i in zip(levels, there, strict=True)
                ]
                assert mine == book.depth(name)
    assert int(s.inventory.abs().sum()) > 0


class CompiledBook(Book):
    """The compiled law of one book, step by step, with what it draws."""

    def __init__(self, config: Config, index: int) -> None:
        super().__init__(config, 11, 0, index)
        self.reset()
        self.over = False

    def step(self, quote: np.ndarray) -> None:
        self.act(*quote)
        self.before = self.stream.copy()
        self.counted = self.advance() != DISCARDED
        self.over = self.empty


@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"market_order": "walk", "owner": "maker"},
        {"exhausted": "refilled", "rounding": "nearest"},
        LINEAGE,
        {"owner": "maker", "crossed": "dropped", "book_size": 60, "volatility": 0.04},  # ends by cancelling too
    ],
    ids=["default", "walk", "refilled", "lineage", "small"],
)
def test_whole_steps_equal_the_compiled_law(monkeypatch: pytest.MonkeyPatch, rules: dict[str, Any]) -> None:
    """Action, move of the mid, crossed and market orders: level by level, share by share, tick by tick."""
    n, calm = 6, (3.0, -2.13, -0.8, -2.3, 0.167, -0.1)  # so that the books last
    wide = {"seed_spread": 0.4, "volatility": 0.02, "book_size": 2000, "nt": 100, "intensity": calm}
    config = _config(**{**wide, **rules})
    law = TensorBook(book_of(config), CPU)
    books, s = [CompiledBook(config, k) for k in range(n)], law.empty_books(n)
    for k, book in enumerate(books):
        for row, levels in ((k, book.side(0)), (n + k, book.side(1)[::-1])):
            at = 0 if row < n else law.width - law.levels
            s.total[row, at : at + law.levels] = torch.tensor(levels[:, 0].copy())
            s.own[row, at : at + law.levels] = torch.tensor(levels[:, 1].copy())
    s.blocks += s.total.view(2 * n, -1, BLOCK).sum(2)
    s.own_blocks += s.own.view(2 * n, -1, BLOCK).sum(2)
    rng, traded, steps, bought = np.random.default_rng(5), 0, 0, 0
    for _ in range(100):
        alive = np.array([not book.over for book in books])
        quote = np.stack([rng.integers(-6, 12, n), rng.exponential(0.1, n)] * 2, 1).astype(float)
        quote[:, 2] = rng.integers(-6, 12, n)
        quote[:, 3] = rng.exponential(0.1, n)
        noise = np.zeros(n)
        streams: list[np.ndarray | None] = []
        for k, book in enumerate(books):
            if alive[k]:
                book.step(quote[k])
                streams.append(book.before)
                noise[k] = normal(book.before)
            else:
                streams.append(None)
        counts = np.zeros(2 * n, np.int64)

        def drawn(rate: torch.Tensor, _: Any) -> torch.Tensor:
            for k, stream in enumerate(streams):  # noqa: B023 - called within the step
                if stream is not None:
                    counts[n + k] = poisson(stream, float(rate[n + k]), 10**6)  # noqa: B023
                    counts[k] = poisson(stream, float(rate[k]), 10**6)  # noqa: B023
            return torch.tensor(counts)  # noqa: B023

        before = law.standing(s)
        law.act(s, torch.tensor(quote), torch.tensor(alive))
        with monkeypatch.context() as patch:  # the same luck as the compiled books
            patch.setattr(law, "move", lambda s, _, going: TensorBook.move(law, s, torch.tensor(noise), going))  # noqa: B023
            patch.setattr(book_tensor, "poisson", drawn)
            counted = law.advance(s, torch.Generator(), torch.tensor(alive))
        flows = law.flows(s)
        money = law.in_currency({**before, **flows})
        for k, book in enumerate(books):
            assert float(s.mid[k]) == book.mid
            assert (int(s.cash[k]), int(s.inventory[k])) == book.money()
            assert bool(counted[k]) == (alive[k] and book.counted)
            if counted[k]:
                got = tuple(int(flows[name][k]) for name in ("bought", "sold", "paid", "received"))
                assert got == book.flows()
                account = book.account()
                for name in ("paid", "received", "revaluation", "bid", "ask"):
                    assert float(money[name][k]) == pytest.approx(getattr(account, name), rel=1e-9, abs=1e-9), name
                bought += got[0]
            for side, shares in ((0, s.total[k]), (1, s.total[n + k].flip(0))):
                np.testing.assert_array_equal(shares[: law.levels], book.side(side)[:, 0])
            for side, shares in ((0, s.own[k]), (1, s.own[n + k].flip(0))):
                np.testing.assert_array_equal(shares[: law.levels], book.side(side)[:, 1])
            assert bool(law.empty(s)[k]) == book.empty
        steps += int(alive.sum())
        traded += int((counts > 0).sum())
    least = 10 if book_of(config).book_size == 60 else 100
    assert steps > least and traded > least // 2 and int(s.inventory.abs().sum()) > 0
    assert bought > least // 2


@pytest.mark.parametrize("fill", ["linear", "poisson"])
def test_steps_of_the_game_equal_the_compiled_law(fill: str) -> None:
    market = game_of(_config(name="avellaneda-stoikov", nt=200, fill=fill))
    p, law, n = game.parameters(market), TensorGame(market, CPU), 50
    s, rng = law.reset(n, torch.Generator()), np.random.default_rng(1)
    states = list(np.zeros(n, game.STATE))
    streams = np.empty((n, 4), np.uint64)
    for k, state in enumerate(states):
        game.reset(p, state, streams[k], 0)
    for t in range(40):
        delta = rng.normal(0.3, 0.5, (n, 2))  # negative distances too
        draws, up = np.zeros((n, 2)), np.zeros(n, bool)
        for k, state in enumerate(states):
            seed_stream(streams[k], 1, t, k)
            copy = streams[k].copy()
            draws[k] = uniform(copy), uniform(copy)
            up[k] = next_word(copy) >> np.uint64(63)
            game.act(p, state, delta[k])
            game.advance(p, state, streams[k])
        law.act(s, torch.tensor(delta), torch.ones(n, dtype=torch.bool))
        law.trade(s, torch.tensor(draws), torch.tensor(up))
        accounts = [game.account(p, state) for state in states]
        standing, flows = law.in_currency(law.standing(s)), law.in_currency(law.flows(s))
        for name in ("inventory", "mid"):
            np.testing.assert_array_equal(standing[name], [getattr(account, name) for account in accounts])
        for name in ("bought", "sold"):
            np.testing.assert_array_equal(flows[name], [getattr(account, name) for account in accounts])
        for found, names in ((standing, ("cash", "time")), (flows, ("bid", "ask", "paid", "received", "revaluation"))):
            for name in names:
                want = [getattr(account, name) for account in accounts]
                np.testing.assert_allclose(found[name], want, rtol=0, atol=1e-9, err_msg=name)
    assert s.inventory.abs().max() > 3


class _NoCopies(TorchDispatchMode):
    """Refuses what makes an accelerator wait, and numbers that a step would send to it from the host."""

    forbidden = ("_local_scalar_dense", "nonzero", "masked_select", "lift_fresh", "unique", "equal.default")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        assert not any(word in str(func) for word in self.forbidden), f"a step waits: {func}"
        tensors = [x for x in (*args, *kwargs.values()) if isinstance(x, torch.Tensor)]
        assert all(x.device.type == "meta" for x in tensors), f"a step reads the host: {func}"
        assert torch.device(kwargs.get("device") or "meta").type == "meta", f"a step goes to the host: {func}"
        return func(*args, **kwargs)


def _refuse(*_: Any, **__: Any) -> None:
    raise AssertionError("a step sends numbers from the host")


class _NoDoubles(TorchDispatchMode):
    """Refuses float64 on a device that stands for MPS, which does not have it."""

    def __init__(self, device: str) -> None:
        super().__init__()
        self.device = device

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for x in (*args, *(result if isinstance(result, tuple | list) else (result,))):
            if isinstance(x, torch.Tensor) and x.device.type == self.device:
                assert x.dtype != torch.float64, f"float64 on MPS: {func}"
        return result


def _steps_on_meta(monkeypatch: pytest.MonkeyPatch, config: Config, quoter: Any, steps: int = 3) -> Any:
    """Whole steps on the device without data, where nothing that looks at numbers can work."""
    monkeypatch.setattr(tensor, "device_generator", lambda *_: None)
    monkeypatch.setattr(book_tensor, "seed_books", lambda law, books, _: books)
    obs = len(spec_of(config).columns)
    with torch.no_grad():
        if quoter is None:
            quoter = make_policy(config).to("meta")
        run = TensorEngine(config, "meta").start(quoter, RunningNormaliser(obs), 1, 1, 3)
        with _NoCopies(), monkeypatch.context() as patch:
            for name in ("tensor", "as_tensor", "from_numpy", "scalar_tensor"):  # their copies are not dispatched
                patch.setattr(torch, name, _refuse)
            for t in range(steps):
                run.step(t)
    assert run.records.written == steps
    return run


BOOKS = [{}, {"market_order": "walk", "n_obs": 3, "observation": "full"}, {"uniform": True}, LINEAGE]


@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
@pytest.mark.parametrize("market", [*BOOKS, {"name": "avellaneda-stoikov"}, {"name": "avellaneda-stoikov", "k": 2.0}])
def test_a_whole_step_never_waits_for_the_host(monkeypatch: Any, market: dict[str, Any], kind: str) -> None:
    """Policy, market and records of the learned policy."""
    _steps_on_meta(monkeypatch, build({"market": {"nt": 8, **market}, "policy": {"kind": kind}}), None)


@pytest.fixture
def like_mps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CPU and the device without data lack what MPS lacks."""
    monkeypatch.setattr(tensor_devices, "MPS", ("mps", "cpu", "meta"))


@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
@pytest.mark.parametrize("market", [*BOOKS, {"name": "avellaneda-stoikov"}, {"name": "avellaneda-stoikov", "k": 2.0}])
def test_a_step_on_mps_needs_no_float64(monkeypatch: Any, like_mps: None, market: dict[str, Any], kind: str) -> None:
    config = build({"market": {"nt": 8, **market}, "policy": {"kind": kind}})
    with _NoDoubles("meta"):
        _steps_on_meta(monkeypatch, config, None)


@pytest.mark.parametrize("quoter", [heuristic(), fixed(1, 1, -1, 1)], ids=["heuristic", "fixed"])
def test_quoters_on_mps_need_no_float64(monkeypatch: Any, like_mps: None, quoter: Any) -> None:
    with _NoDoubles("meta"):
        _steps_on_meta(monkeypatch, _config(nt=8), quoter)


def test_float64_on_mps_is_found_out(monkeypatch: Any) -> None:
    with _NoDoubles("meta"), pytest.raises(AssertionError, match="float64 on MPS"):
        _steps_on_meta(monkeypatch, _config(nt=8), None)


@pytest.mark.parametrize("algorithm", ["ppo", "reinforce"])
@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
def test_an_update_on_mps_needs_no_float64(monkeypatch: Any, algorithm: str, kind: str) -> None:
    """Gradient and optimiser as they run on any device but a CPU, here on one that refuses float64."""
    training = {"algorithm": algorithm, "nb": 20, "ne": 3}
    game = {"name": "avellaneda-stoikov", "nt": 8}
    config = build({"market": game, "policy": {"kind": kind}, "training": training})
    trainer = Trainer(config)
    batch, policy = learning_batch(trainer.rollout(1), config, trainer.value), trainer.policy
    policy.numbers = torch.from_numpy(policy.numbers)
    optimiser, before = make_optimiser(policy, config), policy.numbers.clone()
    with _NoDoubles("cpu"):
        update(policy, optimiser, LearningBatch.of(map(torch.from_numpy, batch.rows)), config, np.random.default_rng(1))
    assert not torch.equal(before, policy.numbers)
    assert trainer.value is not None
    there = TensorFeatures(trainer.value.direction, trainer.value.offset, "meta")
    with _NoDoubles("meta"), torch.device("meta"):
        there._of(torch.empty(5, there.inputs))
        make_policy(config).to("meta").confine()


@pytest.mark.parametrize(
    ("market", "most"),
    [({"name": "avellaneda-stoikov"}, 70), ({}, 370), ({"market_order": "walk"}, 370), (LINEAGE, 450)],
    ids=["avellaneda-stoikov", "book", "walk", "lineage"],
)
def test_kernels_of_a_step(like_mps: None, market: dict[str, Any], most: int) -> None:
    """As torch's profiler counts them on the CPU; each is started by the host, which is what a step costs on MPS."""
    found = kernels_per_step(build({"market": {"nt": 8, **market}}))
    assert most - 30 < found <= most


def test_quoters_that_do_not_learn_never_wait_either(monkeypatch: Any) -> None:
    _steps_on_meta(monkeypatch, _config(nt=8), heuristic())
    _steps_on_meta(monkeypatch, _config(nt=8), fixed(1, 1, -1, 1))
    _steps_on_meta(monkeypatch, _config(name="avellaneda-stoikov", nt=8), table(np.zeros((8, 3, 2))))


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: bool((x > 0).all()),
        lambda x: x.sum().item(),
        lambda x: x[x > 0],
        lambda x: x.tolist(),
        lambda x: x.cpu(),
        lambda x: x + torch.ones(3, 1),
        lambda x: x * torch.tensor([1.0], device=x.device),
    ],
    ids=["bool", "item", "mask", "tolist", "cpu", "host tensor", "host number"],
)
def test_a_step_that_waits_is_found_out(monkeypatch: Any, wait: Any) -> None:
    original = TensorMaker.normalise

    def waiting(self: Any, raw: torch.Tensor) -> torch.Tensor:
        if raw.device.type == "meta" and torch.utils._python_dispatch._get_current_dispatch_mode() is not None:
            wait(raw)
        return original(self, raw)

    monkeypatch.setattr(TensorMaker, "normalise", waiting)
    with pytest.raises((AssertionError, NotImplementedError, RuntimeError)):
        _steps_on_meta(monkeypatch, _config(nt=8), None)


def test_naive_agent_has_the_law_of_the_compiled_engine() -> None:
    config = _config(nt=60, book_size=1000, seed_spread=2.0)
    a = TensorEngine(config).rollout(heuristic(), None, 1, 1, 100).numpy()
    b = compiled.rollout(config, heuristic(), 2, 1, 0, 400, 1)
    assert stats.ks_2samp(a.final_value, b.final_value).pvalue > 1e-3
    last = [x.bid[x.offsets[1:] - 1] for x in (a, b)]
    assert stats.ks_2samp(*last).pvalue > 1e-3
    shares = [np.add.reduceat(x.action[:, 0], x.offsets[:-1]) for x in (a, b)]
    assert stats.ks_2samp(*shares).pvalue > 1e-3


@pytest.mark.parametrize(
    "rules",
    [
        {"nt": 60, "book_size": 2000, "seed_spread": 2.0},
        {"nt": 60, "book_size": 60, "seed_spread": 2.0, **LINEAGE},
        {"nt": 60, "book_size": 60, "seed_spread": 2.0, "uniform": True, "n_obs": 2, "observation": "full"},
    ],
)
def test_book_has_the_law_of_the_compiled_engine(rules: dict[str, Any]) -> None:
    config = _config(**rules)
    quoter = fixed(3, 1.5, 3, 1.5)
    a = TensorEngine(config).rollout(quoter, None, 1, 1, 150).validate().numpy()
    b = compiled.rollout(config, quoter, 2, 1, 0, 600, 1)
    for x, y in (
        (a.final_value, b.final_value),
        (a.final_inventory, b.final_inventory),
        (a.lengths, b.lengths),
        (a.segment_sum(a.reward), b.segment_sum(b.reward)),
        *((a.last_observation[:, k], b.last_observation[:, k]) for k in range(a.observation.shape[1])),
    ):
        assert stats.ks_2samp(x, y).pvalue > 1e-3


@pytest.mark.parametrize(("fill", "mean", "std"), [("linear", 68.26, 13.42), ("poisson", 61.02, 12.88)])
def test_symmetric_maker_earns_what_is_known(fill: str, mean: float, std: float) -> None:
    half = 0.25 * 0.1 * 4 + math.log1p(0.1 / 1.5) / 0.1
    quotes = table(np.full((200, 1, 2), half))
    batch = (
        TensorEngine(_config(name="avellaneda-stoikov", nt=200, fill=fill)).rollout(quotes, None, 1, 1, 3000).numpy()
    )
    assert abs(batch.final_value.mean() - mean) < 4 * std / math.sqrt(3000)
    assert abs(batch.final_value.std() - std) < 4 * std / math.sqrt(3000)


@pytest.mark.parametrize("rate", [0.3, 4.0, 15.0, 40.0])
def test_poisson_by_inversion(rate: float) -> None:
    n = 20000
    x = poisson_by_inversion(torch.full((n,), rate), device_generator(torch.device("cpu"), 1, 2)).numpy()
    assert abs(x.mean() - rate) < 4 * math.sqrt(rate / n) + 1e-3
    assert stats.ks_2samp(x, stats.poisson.rvs(rate, size=n, random_state=1)).pvalue > 1e-3


def test_refusals_are_one_line() -> None:
    with pytest.raises(ValueError, match="--engine compiled"):
        TensorEngine(_config(priority="size"))
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match=r"cuda.*cpu"):
            resolve_device("cuda")


def test_what_is_left_open_suits_the_machine_and_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(engine: str, device: str, **rules: Any) -> tuple[str, str]:
        return resolve(build({"market": rules, "run": {"engine": engine, "device": device}}))

    for present, best in ((["cpu"], ("compiled", "cpu")), (["cpu", "cuda"], ("tensor", "cuda"))):
        monkeypatch.setattr(devices, "available_devices", lambda present=present: present)
        assert asked("auto", "auto") == best
        assert asked("auto", "cpu") == asked("compiled", "auto") == ("compiled", "cpu")
        assert asked("auto", "auto", priority="size") == ("compiled", "cpu")  # rules that tensors lack
        assert asked("tensor", "cpu") == ("tensor", "cpu")
        with pytest.raises(ValueError, match="touch_size = 'lot' needs single lots"):
            asked("tensor", "auto", touch_size="lot")
    with pytest.raises(ValueError, match="priority = 'size' needs single lots"):
        asked("auto", "cuda", priority="size")
