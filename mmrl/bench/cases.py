"""Every case of `mmrl bench`: a name, what makes it, what it gives, and in what unit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmrl.bench.epoch import FIGURES as OF_AN_EPOCH

EVENTS = 10
"""Events of market order-flow between two decisions of its maker."""
ROWS = 200_000
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
STARTED = {"cpu": "CPU s", "wall": "s"}
BY_EVENTS = {"decide_by": "events", "decision_events": EVENTS, "warm_up": 0.0}
LONG = ((1, 10_000), (100, 10_000), (1_000, 1_000), (10_000, 100))
GAME = ((1, 200), (100, 200), (1_000, 200), (10_000, 200))
FLOW = ((1, 10_000), (100, 4_000), (1_000, 200), (10_000, 20))
ROLLOUTS = (
    ("book", None, 1, LONG, 100),
    ("avellaneda-stoikov", "avellaneda-stoikov", 1, GAME, 1_000),
    ("order-flow", "order-flow", EVENTS, FLOW, 100),
)
"""Market, preset (None: the defaults of settings), events in a step, trajectories and steps of each size, and the
trajectories of the usual one."""


@dataclass(frozen=True)
class Case:
    """Something that is measured in a process of its own: `make` is module:function of this package, which gets ready
    and returns a function that measures once."""

    name: str
    make: str
    unit: str | Mapping[str, str]
    """Of its figure, or of each of several, which are named after it."""
    given: Mapping[str, Any] = field(default_factory=dict)
    quick: bool = False
    """Part of `mmrl bench --quick` too."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Of the environment of its process."""
    repeats: int = 0
    """How often it is measured; 0: as often as the others."""

    @property
    def group(self) -> str:
        """Cases of a group are measured in turns."""
        return "/".join(self.name.split("/")[:2])

    @property
    def figures(self) -> dict[str, str]:
        """Names and units of its figures."""
        if isinstance(self.unit, str):
            return {self.name: self.unit}
        return {f"{self.name}/{part}": unit for part, unit in self.unit.items()}


@dataclass(frozen=True)
class Ratio:
    """A figure over another one of the same group, taken in each turn."""

    name: str
    over: str
    under: str


def _rollouts() -> Iterator[Case]:
    for market, preset, events, sizes, usual in ROLLOUTS:
        for nb, nt in sizes:
            for threads in (1, 2):
                settings = {"nb": nb, "nt": nt, **(BY_EVENTS if events > 1 else {})}
                yield Case(
                    f"rollout/{market}/nb={nb}/threads={threads}",
                    "rollout:compiled",
                    "events/s" if events > 1 else "steps/s",
                    {"preset": preset, "events": events, "threads": threads, "settings": settings},
                    quick=threads == 1 and nb == usual,
                )
    yield Case("rollout/order-flow/plain", "reference:plain", "events/s", {"events_a_decision": 0})
    yield Case("rollout/order-flow/plain+torch", "reference:plain", "events/s", {"events_a_decision": EVENTS})
    for threads in (1, 2):
        yield Case(
            f"rollout/avellaneda-stoikov/closed-form/threads={threads}",
            "rollout:compiled",
            "steps/s",
            {"preset": "avellaneda-stoikov", "agent": "avellaneda-stoikov", "threads": threads}
            | {"settings": {"nb": 1_000}},
            quick=threads == 1,
        )
    for market, *_ in ROLLOUTS:
        for threads in (1, 2):
            copies = {"market": market, "copies": 1_000, "threads": threads}
            yield Case(f"environments/{market}/threads={threads}", "rollout:environments", "steps/s", copies)
    for engine, device in (("tensor", "cpu"), ("tensor", "mps"), ("tensor", "cuda"), ("cuda", "cuda")):
        for nb in (100,) if device == "cpu" else (100, 10_000):  # a CPU seeds 10 000 books of tensors in minutes
            for market, preset, *_ in ROLLOUTS[:2] if engine == "tensor" else ROLLOUTS:
                given = {"engine": engine, "preset": preset, "device": device, "settings": {"nb": nb, "nt": 200}}
                yield Case(f"{engine}/{device}/{market}/nb={nb}", "rollout:on_device", "steps/s", given)


def _learner() -> Iterator[Case]:
    for threads in (1, 2):
        sized = {"rows": ROWS, "threads": threads}
        quick = threads == 1
        yield Case(f"learner/parts/gradient/threads={threads}", "learner:gradient", "rows/s", sized, quick)
        yield Case(f"learner/parts/pass/threads={threads}", "learner:whole_pass", "rows/s", sized)
    yield Case("learner/parts/optimiser", "learner:optimiser", "steps/s")
    for live in (100, 50, 10, 1):
        for way in ("csr", "dense", "masked"):
            given: dict[str, Any] = {"rows": ROWS, "live": live / 100, "way": way, "threads": 1}
            quick = live == 10 and way != "masked"
            yield Case(f"learner/{live}%-live/{way}", "learner:share", "s", given, quick)


CASES: tuple[Case, ...] = (
    *_rollouts(),
    *_learner(),
    Case("epoch/default", "epoch:split", OF_AN_EPOCH, {"preset": None, "settings": {"nt": 10_000}}, quick=True),
    Case(
        "epoch/small",
        "epoch:split",
        OF_AN_EPOCH,
        {"preset": "quickstart", "settings": {"nb": 16, "nt": 200}},
        quick=True,
    ),
    Case("epoch/avellaneda-stoikov", "epoch:split", OF_AN_EPOCH, {"preset": "avellaneda-stoikov", "settings": {}}),
    Case("epoch/order-flow", "epoch:split", OF_AN_EPOCH, {"preset": "order-flow-fast", "settings": {}}),
    Case("start/cli/imports", "starts:imports", STARTED, {"modules": "typer, rich"}, quick=True),
    Case("start/cli/help", "starts:command", STARTED, {"words": ("--help",)}, quick=True),
    Case("start/cli/train-help", "starts:command", STARTED, {"words": ("train", "--help")}, quick=True),
    Case("start/cli/runs-list", "starts:command", STARTED, {"words": ("runs", "list")}, quick=True),
    Case("start/run/imports", "starts:imports", STARTED, {"modules": "torch, numba"}, quick=True),
    Case("start/run/later", "starts:later", STARTED, quick=True),
    Case("start/run/first", "starts:first", STARTED, repeats=1),
)

CALIBRATION: tuple[Case, ...] = (
    Case("calibration/loop", "calibration:loop", "iterations/s", quick=True),
    Case("calibration/product", "calibration:product", "FLOP/s", quick=True, variables=ONE_THREAD),
    Case("calibration/copy", "calibration:copy", "bytes/s", quick=True),
)

RATIOS: tuple[Ratio, ...] = (
    *(
        Ratio(f"learner/{live}%-live/{way} over csr", f"learner/{live}%-live/{way}", f"learner/{live}%-live/csr")
        for live in (100, 50, 10, 1)
        for way in ("dense", "masked")
    ),
    *(
        Ratio(f"start/cli/{name} over imports", f"start/cli/{name}/cpu", "start/cli/imports/cpu")
        for name in ("help", "train-help", "runs-list")
    ),
    Ratio("start/run/later over imports", "start/run/later/cpu", "start/run/imports/cpu"),
    *(
        Ratio(
            f"rollout/order-flow/nb=100/threads=1 over {name}",
            "rollout/order-flow/nb=100/threads=1",
            f"rollout/order-flow/{name}",
        )
        for name in ("plain", "plain+torch")
    ),
)
