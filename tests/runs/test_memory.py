"""The estimate of memory against measured peaks, and what is refused because of it before anything exists."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mmrl.runs import machine
from mmrl.runs.memory import demand, graded, graded_together, size
from mmrl.settings.build import build
from mmrl.settings.errors import ConfigError
from mmrl.settings.model import Config
from mmrl.settings.sources import resolve

TENSOR = {"run__engine": "tensor", "run__device": "cpu"}
BOOK = {"market.name": "book", "run.threads": 1, "run.plot_after": 0}


def config(**values: Any) -> Config:
    return resolve(BOOK | {key.replace("__", "."): value for key, value in values.items()})[0]


@pytest.mark.parametrize(
    ("values", "peak"),
    [  # maximum resident sizes of `mmrl train -ne 1` (10 trajectories and fewer), and of longer runs
        ({"market__nt": 10, "training__nb": 10}, 194e6),
        ({"market__nt": 10_000, "training__nb": 100}, 317e6),
        ({"market__nt": 10_000, "training__nb": 300}, 577e6),
        ({"market__nt": 10_000, "training__nb": 100, "market__n_obs": 10}, 483e6),
        ({"market__nt": 100_000, "training__nb": 1}, 422e6),  # a grade simulates 20 trajectories
        ({"market__nt": 100_000, "training__nb": 10}, 502e6),
        ({"market__nt": 1_000, "training__nb": 10, "market__tick": 1e-5}, 591e6),  # the ladder
        ({"market__name": "avellaneda-stoikov", "market__nt": 20_000, "training__nb": 1}, 783e6),  # tables of quotes
        ({"market__name": "avellaneda-stoikov", "market__nt": 50_000, "training__nb": 1}, 1686e6),
        ({"market__nt": 1_000, "training__nb": 10, "market__tick": 1e-5, "run__plot_after": 1}, 886e6),  # its recording
        ({"market__name": "avellaneda-stoikov", "market__nt": 10, "training__nb": 10}, 181e6),
        ({"market__name": "order-flow", "market__nt": 10, "training__nb": 10}, 189e6),
        ({"market__name": "avellaneda-stoikov", "market__nt": 10, "training__nb": 10, **TENSOR}, 391e6),
    ],
)
def test_measured_peaks(values: dict[str, Any], peak: float) -> None:
    assert demand(config(**values)).memory == pytest.approx(peak, rel=0.12)


def test_steps_and_threads_count() -> None:
    assert demand(config(market__nt=50, training__nb=4, training__ne=3)).steps == 600
    one = demand(config(market__tick=1e-6)).memory
    four = demand(config(market__tick=1e-6, run__threads=4)).memory
    assert four - one == pytest.approx(3 * 32 * 2 * 30.8 / 1e-6, rel=0.01)  # 2 GB of ladder a thread


@pytest.mark.parametrize(
    ("count", "text"), [(4.1e8, "410 MB"), (1.23e9, "1.2 GB"), (9.996e11, "1.0 TB"), (2e20, "2e+05 PB")]
)
def test_sizes_for_readers(count: float, text: str) -> None:
    assert size(count) == text


REFUSED = [
    (["--set", "tick=1e-6", "--threads", "16"], "raise market.tick"),
    (["--set", "tick=1e-9"], "raise market.tick"),
    (["-nt", "10000000", "-nb", "1000000"], "lower training.nb or market.nt"),
    (["-nt", "10000000", "-nb", "1"], "lower market.nt"),
    (["--market", "avellaneda-stoikov", "-nt", "100000", "-nb", "1"], "lower market.nt"),
    (["--layer-size", "1024", "--layers", "16"], "lower policy.layer_size"),
    (["-nt", "100000", "-nb", "1000", "-no", "1000"], "lower training.nb, market.nt or market.n_obs"),
    (["--market", "order-flow", "-nt", "1000000", "-nb", "1", "--depth", "100"], "lower market.nt or market.depth"),
]


@pytest.mark.parametrize(("arguments", "remedy"), REFUSED)
def test_refused_with_figure_and_remedy_and_nothing_is_created(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    remedy: str,
) -> None:
    from cli import main

    monkeypatch.setattr(machine, "memory", lambda: 1.2e9)
    monkeypatch.setattr("mmrl.runs.memory.memory", machine.memory)
    for more in ([], ["--detach"]):
        with pytest.raises(SystemExit) as ended:
            main(["train", "--results", str(tmp_path / "r"), *arguments, *more])
        said = capsys.readouterr()
        assert ended.value.code == 2 and len(said.err.strip().splitlines()) == 1
        assert "B of memory is needed, there is 1.2 GB: " + remedy in said.err and "--force" in said.err
    assert not (tmp_path / "r").exists()
    with pytest.raises(SystemExit) as ended:
        main(["train", "--results", str(tmp_path / "r"), *arguments, "--dry-run", "--json"])
    assert not ended.value.code and json.loads(capsys.readouterr().out)["config"]


def test_the_trainer_and_evaluations_refuse_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from cli import main
    from mmrl.display.plain import PlainView
    from mmrl.training.start import train

    monkeypatch.setattr("mmrl.runs.memory.memory", lambda: 1.2e9)
    with pytest.raises(ConfigError, match=r"cannot be trained here: about .* GB"):
        train(
            config(market__nt=10_000_000, run__results=str(tmp_path / "r")), {}, load=None, expand=0, view=PlainView()
        )
    assert not (tmp_path / "r").exists()
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "--market", "book", "--agent", "naive", "--set", "tick=1e-9"])
    assert ended.value.code == 2 and "cannot be simulated here" in capsys.readouterr().err
    with pytest.raises(SystemExit) as ended:
        main(["evaluate", "--market", "avellaneda-stoikov", "--agent", "optimum", "--set", "nt=100000"])
    assert ended.value.code == 2 and "lower market.nt" in capsys.readouterr().err


def test_a_grade_plays_both_ways_at_once_while_it_is_small() -> None:
    """20 trajectories of 5 000 steps are the longest; from there on one way after the other."""
    small, large = (build({"market": {"nt": steps}, "training": {"nb": 1}}) for steps in (5_000, 5_001))
    assert graded_together(small) and not graded_together(large)
    more = demand(small).memory - demand(large).memory
    assert 0.9 * 20 * 5_000 * 70 < more < 1.1 * 20 * 5_000 * 110  # bytes of a step that is only played


def test_a_grade_is_of_a_fifth_of_the_trajectories_within_bounds() -> None:
    assert [graded(n) for n in (1, 100, 101, 250, 400, 100_000)] == [20, 20, 20, 50, 80, 80]


TRAIN = """
import sys, tempfile
from mmrl.bench.clock import peak_mb
from mmrl.bench.epoch import NoView
from mmrl.runs import store
from mmrl.runs.memory import demand
from mmrl.settings.model import Config
from mmrl.training.loop import TrainingProcess
from mmrl.training.signals import Interruption

size = int(sys.argv[1])
with tempfile.TemporaryDirectory() as place:
    config = Config.of(nt=20, nb=2, ne=4, layer_size=size, layers=6, threads=2, results=place)
    folder = store.begin(config, {}).folder
    assert TrainingProcess(config, {}, folder, NoView(), Interruption()).work() == 0
print(2**20 * peak_mb(), demand(config).memory)
"""


@pytest.mark.slow
def test_the_peak_of_large_networks_is_below_the_estimate_and_not_far() -> None:
    """A checkpoint whose arrays live beside its bytes while the next epoch trains would be beyond it."""

    def peak(layer_size: int) -> float:
        done = subprocess.run(
            [sys.executable, "-c", TRAIN, str(layer_size)], capture_output=True, text=True, check=True, timeout=300
        )
        measured, estimate = map(float, done.stdout.split())
        return measured / estimate

    peak(8)  # compiles, which takes memory of its own
    assert 0.75 < peak(1024) < 1.0
