"""`mmrl bench`: speed of the engines present, cost of the learner, whole epochs, starts and memory.

Every case runs in a process of its own, so that memory and first calls are its own too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from mmrl.plots.table import Column, room, table
from mmrl.runs.machine import cpus
from mmrl.runs.processes import environment, python

if TYPE_CHECKING:
    from mmrl.commands.plain_book import PlainBook

STEPS = {"nb": 100, "nt": 10_000}
EVENTS_A_DECISION = 10
PLAIN_EVENTS = 20_000
LIVE = 0.1  # share of live steps in the comparison of CSR with a dense mask


def bench(as_json: bool) -> None:
    """Run every case, narrating on stderr, and print one JSON object or a table on stdout."""
    results: dict[str, float] = {"cores": float(cpus())}
    for name in CASES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        command = [*python("mmrl.commands.bench"), name]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment())
        if done.returncode:
            raise RuntimeError(f"benchmark {name} failed: {done.stderr.strip().splitlines()[-1]}")
        results.update(json.loads(done.stdout.splitlines()[-1]))
    if as_json:
        print(json.dumps(results))
        return
    print("\n".join(report(results, room())))


def report(results: Mapping[str, float], width: int) -> list[str]:
    """A table of the figures."""
    rows = [(name, f"{value:,.3f}" if value < 1000 else f"{value:,.0f}    ") for name, value in results.items()]
    return table([Column("measured", "label"), Column("figure")], rows, width)


def _peak_mb() -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform != "darwin" else peak / 1024**2


def _trainer(preset: str, **settings: Any) -> Any:
    from mmrl.learn.trainer import Trainer
    from mmrl.settings.sources import resolve

    config, _ = resolve(settings, None, preset, {})
    return Trainer(config)


def _fastest(work: Callable[[], Any], repeats: int = 4) -> float:
    """Seconds of the fastest of some repeats: the one least disturbed by others."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _rollout_speed(preset: str, engine: str, **settings: Any) -> float:
    trainer = _trainer(preset, engine=engine, **settings)
    lived = trainer.rollout(1).nnz
    return float(lived / _fastest(lambda: trainer.rollout(1)))


def _engines() -> dict[str, float]:
    from mmrl.rollout.devices import available_devices

    speeds = {
        "book_rollout_compiled_steps_per_second": _rollout_speed("default", "compiled", device="cpu", **STEPS),
        "avellaneda_stoikov_rollout_compiled_steps_per_second": _rollout_speed(
            "avellaneda-stoikov", "compiled", device="cpu", nb=1000, layer_size=16
        ),
    }
    for device in available_devices():
        size = {"nb": 100, "nt": 200} if device == "cpu" else {"nb": 1000, "nt": 1000}
        speeds[f"book_rollout_tensor_{device}_steps_per_second"] = _rollout_speed(
            "default", "tensor", device=device, **size
        )
    return speeds


def order_flow_events_per_second(threads: int, trajectories: int = 40, decisions: int = 10_000) -> float:
    """Of market order-flow, published numbers, while the policy network acts every `EVENTS_A_DECISION` events.

    Warm-ups take their time but are not counted.
    """
    return EVENTS_A_DECISION * _rollout_speed(
        "order-flow",
        "compiled",
        device="cpu",
        decide_by="events",
        decision_events=EVENTS_A_DECISION,
        nb=trajectories,
        nt=decisions,
        threads=threads,
    )


def plain_book(seed: int) -> PlainBook:
    """The background of market order-flow with its default numbers."""
    from mmrl.commands.plain_book import PlainBook
    from mmrl.markets.order_flow.settings import Settings

    m = Settings()
    return PlainBook(
        limit=(*m.limit_rates, *m.far_rates),
        cancel=m.cancel_rates,
        market=m.market_rates[0],
        mid=round(m.midprice / m.tick),
        seed=seed,
    )


def _order_flow() -> dict[str, float]:
    """Events of the other traders in a second, compiled with a maker that acts, and in plain Python without one."""
    book = plain_book(seed=0)
    seconds = _fastest(lambda: [book.event() for _ in range(PLAIN_EVENTS)])
    speeds = {
        f"order_flow_{threads}_thread{'s'[: threads - 1]}_events_per_second": order_flow_events_per_second(threads)
        for threads in (1, 2)
    }
    return {**speeds, "order_flow_plain_python_events_per_second": PLAIN_EVENTS / seconds}


def _book_epoch() -> dict[str, float]:
    trainer = _trainer("default", **STEPS)
    trainer.step()
    seconds = _fastest(trainer.step)
    record = trainer.step().record
    return {
        "book_epoch_seconds": seconds,
        "book_epoch_rollout_seconds": record["seconds_rollout"],
        "book_epoch_update_seconds": record["seconds_update"],
        "book_epoch_peak_memory_mb": _peak_mb(),
    }


def _game_training() -> dict[str, float]:
    trainer = _trainer("avellaneda-stoikov", nb=1000, layer_size=10, update_freq=4, minibatches=1)
    trainer.step()
    steps = trainer.config.training.nb * trainer.config.market.nt
    return {"avellaneda_stoikov_training_steps_per_second": steps / _fastest(trainer.step)}


def csr_and_dense_seconds(live: float, trajectories: int = 100, steps: int = 2000) -> tuple[float, float]:
    """Seconds of one gradient over live rows only, and over all rows under a mask, both by autograd."""
    import numpy as np
    import torch

    from mmrl.learn.gradient import _by_autograd
    from mmrl.learn.policy import make_policy
    from mmrl.learn.returns import LearningBatch
    from mmrl.settings.model import Config

    torch.set_num_threads(cpus())
    torch.manual_seed(0)
    config, rows = Config(), trajectories * steps
    policy = make_policy(config)
    mask = torch.from_numpy(np.random.default_rng(0).random(rows) < live).float()
    observation = torch.randn(rows, 6)
    action, log_prob = policy.sample(observation)
    advantage = torch.randn(rows)
    at = mask.nonzero()[:, 0]
    packed = LearningBatch(observation[at], action[at], log_prob[at], advantage[at])

    def dense() -> None:
        logs, _ = policy.log_prob_entropy(observation, action)
        ratio = (logs - log_prob).exp()
        gain = torch.minimum(ratio * advantage, ratio.clamp(0.8, 1.2) * advantage)
        (-gain * mask).sum().div(mask.sum()).backward()

    return _fastest(lambda: _by_autograd(policy, packed, None, config, 0.0)), _fastest(dense)


def _csr() -> dict[str, float]:
    sparse, dense = csr_and_dense_seconds(LIVE)
    return {"learner_dense_mask_over_csr_10_percent_alive": dense / sparse}


def _starts() -> dict[str, float]:
    """Seconds until the first epoch of a small run is done, on a machine that never ran one, and again."""

    def seconds(cache: str) -> float:
        with tempfile.TemporaryDirectory() as results:
            command = [*python(), "train", "-nt", "50", "-nb", "10", "-ne", "1", "--json"]
            began = time.perf_counter()
            subprocess.run(
                [*command, "--results", results],
                env=environment(NUMBA_CACHE_DIR=cache),
                capture_output=True,
                check=True,
            )
            return time.perf_counter() - began

    with tempfile.TemporaryDirectory() as cache:
        first = seconds(cache)
        return {"first_start_seconds": first, "later_start_seconds": min(seconds(cache) for _ in range(2))}


def _help() -> dict[str, float]:
    """CPU seconds of `mmrl --help`, the least of five."""
    import resource

    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([*python(), "--help"], capture_output=True, check=True, env=environment())
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return {"help_cpu_seconds": min(seconds() for _ in range(5))}


CASES: dict[str, Callable[[], dict[str, float]]] = {
    "engines": _engines,
    "order_flow": _order_flow,
    "book_epoch": _book_epoch,
    "avellaneda_stoikov_training": _game_training,
    "csr": _csr,
    "starts": _starts,
    "help": _help,
}

if __name__ == "__main__":
    print(json.dumps(CASES[sys.argv[1]]()))
