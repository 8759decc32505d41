"""`mmrl bench`: steps per second of the engines present, cost of the learner, whole epochs."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from typing import Any

STEPS = {"nb": 100, "nt": 10_000}


def bench(as_json: bool) -> None:
    """Run every case, narrating on stderr, and print one JSON object or a table on stdout."""
    results: dict[str, Any] = {"cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0}
    for name, case in CASES.items():
        print(f"{name} ...", file=sys.stderr, flush=True)
        results[name] = case()
    results["peak_memory_mb"] = _peak_mb()
    if as_json:
        print(json.dumps(results))
        return
    width = max(map(len, results))
    for name, value in results.items():
        print(f"{name:<{width}}  {value:,.3f}" if isinstance(value, float) else f"{name:<{width}}  {value:,}")


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1024 if sys.platform != "darwin" else peak / 1024**2


def _trainer(preset: str, **settings: Any) -> Any:
    from mmrl.config_sources import resolve
    from mmrl.learn.trainer import Trainer

    config, _ = resolve(settings, None, preset, {})
    return Trainer(config)


def _fastest(work: Callable[[], Any], repeats: int = 3) -> float:
    """Seconds of the fastest of some repeats: the one least disturbed by others."""
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return min(seconds)


def _rollout_speed(preset: str, engine: str, **settings: Any) -> float:
    trainer = _trainer(preset, engine=engine, **settings)
    count = trainer.config.training.nb
    lived = trainer._rollout(1, trainer.normaliser, count).nnz
    return float(lived / _fastest(lambda: trainer._rollout(1, trainer.normaliser, count)))


def _book_epoch() -> float:
    trainer = _trainer("default", **STEPS)
    trainer.step()
    return _fastest(trainer.step)


def _game_training() -> float:
    trainer = _trainer("avellaneda-stoikov", layer_size=10, update_freq=4)
    trainer.step()
    return float(trainer.config.training.nb * trainer.config.market.nt / _fastest(trainer.step))


CASES: dict[str, Callable[[], float]] = {
    "book_rollout_compiled_steps_per_second": lambda: _rollout_speed("default", "compiled", **STEPS),
    "book_rollout_tensor_steps_per_second": lambda: _rollout_speed("default", "tensor", nb=100, nt=200),
    "book_epoch_seconds": _book_epoch,
    "avellaneda_stoikov_rollout_steps_per_second": lambda: _rollout_speed("avellaneda-stoikov", "compiled"),
    "avellaneda_stoikov_training_steps_per_second": _game_training,
}
