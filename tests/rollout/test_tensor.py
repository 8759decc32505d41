"""The tensor engine against the compiled law: exact matching, equal laws, and no wait for the host in a step."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch.utils._python_dispatch import TorchDispatchMode

from mmrl.config import Config
from mmrl.market.book import LimitOrderBook
from mmrl.rollout import compiled
from mmrl.rollout.devices import resolve_device, resolve_engine
from mmrl.rollout.quoters import fixed, naive, table
from mmrl.rollout.tensor import TensorEngine
from mmrl.rollout.tensor_book import TensorBook
from mmrl.rollout.tensor_random import device_generator, poisson_by_inversion


def _config(**market: Any) -> Config:
    return Config.model_validate({"market": market})


@pytest.mark.parametrize("market_order", ["best", "walk"])
@pytest.mark.parametrize("branch", [True, False])
def test_matching_equals_the_compiled_book(market_order: str, branch: bool) -> None:
    rng, n = np.random.default_rng(3), 4
    law = TensorBook(_config(market_order=market_order, nt=300, seed_spread=1.0).market, torch.device("cpu"))
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
            for side, take in (("ask", book.buy), ("bid", book.sell)):
                best, count = book.best(side), int(counts[b + n * (side == "ask")])
                if best is not None and count:
                    take(count if market_order == "walk" else min(count, best[1]))
        law.trade(s, torch.tensor(counts))
        for b, book in enumerate(books):
            assert (int(s.cash[b]), int(s.inventory[b])) == (book.cash, book.inventory)
            for row, side in ((b, "bid"), (n + b, "ask")):
                there = torch.arange(law.width)[s.total[row] > 0].flip(0).tolist()
                level = [i if side == "bid" else law.width - 1 - i for i in there]
                mine = [
                    (p + law.base, int(s.total[row, i]), int(s.own[row, i])) for p, i in zip(level, there, strict=True)
                ]
                assert mine == book.depth(side)
    assert int(s.inventory.abs().sum()) > 0


class _NoWaiting(TorchDispatchMode):
    forbidden = ("_local_scalar_dense", "nonzero", "is_nonzero", "masked_select", "_to_copy_host")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert not any(word in str(func) for word in self.forbidden), func
        if "aten.index.Tensor" in str(func):
            assert all(i is None or i.dtype != torch.bool for i in args[1]), "boolean mask"
        return func(*args, **(kwargs or {}))


def test_a_step_never_waits_for_the_host() -> None:
    law = TensorBook(_config(book_size=200).market, torch.device("cpu"))
    law.may_branch = False
    generator = device_generator(law.device, 1, 1)
    s = law.seed(3, generator, lambda r: torch.poisson(r, generator=generator))
    quote, alive = torch.tensor([[3.0, 0.5, -2.0, 0.5]] * 3), torch.ones(3, dtype=torch.bool)
    with _NoWaiting():
        law.observe(s)
        law.act(s, quote, alive)
        law.quotes(s)
        law.trade(s, torch.poisson(law.move(s, torch.zeros(3), alive), generator=generator))
    with pytest.raises(AssertionError), _NoWaiting():
        bool(alive.all())


LINEAGE = {
    "owner": "maker",
    "crossed": "dropped",
    "market_order": "walk",
    "exhausted": "refilled",
    "emptying_step": "discarded",
    "rounding": "nearest",
}


def test_naive_agent_has_the_law_of_the_compiled_engine() -> None:
    config = _config(nt=60, book_size=1000)
    a = TensorEngine(config).rollout(naive(), None, 1, 1, 100).numpy()
    b = compiled.rollout(config, naive(), 2, 1, 0, 100, 1)
    assert stats.ks_2samp(a.final_value, b.final_value).pvalue > 1e-3
    assert stats.ks_2samp(a.bid[a.step == 59], b.bid[b.step == 59]).pvalue > 1e-3
    shares = [np.add.reduceat(x.action[:, 0], x.offsets[:-1]) for x in (a, b)]
    assert stats.ks_2samp(*shares).pvalue > 1e-3


@pytest.mark.parametrize("rules", [{"nt": 100, "book_size": 2000}, {"nt": 60, "book_size": 60, **LINEAGE}])
def test_book_has_the_law_of_the_compiled_engine(rules: dict[str, Any]) -> None:
    config = _config(**rules)
    quoter = fixed(3, 1.5, 3, 1.5)
    a = TensorEngine(config).rollout(quoter, None, 1, 1, 150).validate().numpy()
    b = compiled.rollout(config, quoter, 2, 1, 0, 150, 1)
    for x, y in (
        (a.final_value, b.final_value),
        (a.final_inventory, b.final_inventory),
        (a.lengths, b.lengths),
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
    with pytest.raises(ValueError, match="--device cpu"):
        resolve_engine("compiled", "cuda")
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match=r"cuda.*cpu"):
            resolve_device("cuda")
    assert resolve_engine("auto", "cpu") == "compiled"
