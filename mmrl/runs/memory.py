"""How many steps a training takes and how much memory it needs at its peak: the one estimate.

The command line and the trainer refuse by it what cannot be run, the form of the terminal UI shows it.
"""

from __future__ import annotations

import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path

from mmrl.markets.contract import Spec, spec_of
from mmrl.runs.machine import cpus, memory
from mmrl.settings.errors import ConfigError
from mmrl.settings.fields import fields
from mmrl.settings.model import Config

SIDE_BY_SIDE = 8
"""Trajectories of a learned policy that a thread plays at once."""
STATES = 32e6
"""Bytes of their states, at most, unless one alone has more."""
WARM_UP = 8
"""Untrained trajectories that set the scale of the observations before the first epoch."""
GRADED = (20, 80)
"""Fewest and most trajectories of a simulated grade, which every epoch pays for; between them a fifth of its own."""
GRADED_TOGETHER = 100_000
"""Steps of a simulated grade up to which both ways of playing are simulated at once, and their memory is kept: that of
more is given back, since learning needs it meanwhile."""
MUCH = 2e9
"""Bytes from which a training says how much memory it needs."""
TORCH = 2.1e8
"""Bytes of torch, where an engine works by it."""
ROW = 104
"""Bytes of each step of an epoch beside its observation, fitted to the peaks of runs of 10^4 to 3 * 10^6 steps."""
PAIR = 32
"""Bytes of each pair of observed numbers and their squares: products, their factor, and what that takes."""
PLAYED = 88
"""Bytes of each step that is only played, beside its observation and action (`kernels.play.Rows`)."""
FLOWS = 32
"""Of these, what learning does not read."""
COPIED = 2
"""Copies of what an evaluation plays: where trajectories end early, rows are moved together."""
NETWORKS = 10
"""Of a network's numbers at the peak: gradients, moments, a checkpoint being written."""


@dataclass(frozen=True)
class Demand:
    """Steps of a whole training, at most, and bytes of memory at its peak, about, with what they are for."""

    steps: float
    process: float
    """Bytes whatever the settings."""
    parts: dict[str, float]
    """Bytes by what makes them fewer, e.g. "lower market.nt"."""

    @property
    def memory(self) -> float:
        """Bytes in all."""
        return self.process + sum(self.parts.values())

    @property
    def remedy(self) -> str:
        """The settings that most of it comes from."""
        return max(self.parts, key=lambda remedy: self.parts[remedy])

    def beyond(self, available: float) -> str:
        """Why so many bytes do not suffice, with the settings to change; empty where they do."""
        if self.memory <= available:
            return ""
        return f"about {size(self.memory)} of memory is needed, there is {size(available)}: {self.remedy}"


def graded(trajectories: int) -> int:
    """Of how many trajectories a simulated grade is, in a run of so many an epoch."""
    fewest, most = GRADED
    return min(max(trajectories // 5, fewest), most)


def graded_together(config: Config) -> bool:
    """Whether a simulated grade is of few enough steps to play both ways at once."""
    return graded(config.training.nb) * spec_of(config).steps <= GRADED_TOGETHER


def demand(config: Config) -> Demand:
    """What training with these settings takes; on an accelerator the part of the trajectories is its own memory."""
    spec, t = spec_of(config), config.training
    tensor = config.run.engine == "tensor"
    device_only = config.run.engine == "cuda"  # which takes for its states what the device has free
    seen, played = 4.0 * len(spec.columns), 4.0 * (len(spec.columns) + len(spec.axes)) + PLAYED
    rows, warm_up = float(t.nb) * spec.steps, float(WARM_UP) * spec.steps * (played - FLOWS)
    learning, kept = max(rows * (ROW + seen), warm_up), rows * (played - FLOWS)
    steps_graded = float(graded(t.nb)) * spec.steps * (2 if graded_together(config) else 1)
    grading = 0.0 if spec.exact_optimum else steps_graded * (played - FLOWS)
    if learning >= kept + grading:  # what an update needs is free again when its policy is graded
        kept, grading = learning, 0.0
    at_once = t.nb if tensor else min(config.run.threads or cpus(), t.nb)
    state = spec.tensor_memory if tensor else states_at_once(spec.trajectory_memory) * spec.trajectory_memory
    graded_too = 0.0 if spec.exact_optimum or tensor else state  # by states of its own
    world = 0.0 if device_only else state * at_once + graded_too
    recorded = spec.recording_memory if config.run.plot_after and not tensor else 0.0
    fewer = spec.memory_remedy or f"lower {'training.nb' if tensor else 'run.threads'}"
    steps = ["market.nt", *(_views(config) if seen > ROW else [])]
    fewer_steps, fewer_rows = _lower(steps), _lower(["training.nb"] * (t.nb > WARM_UP) + steps)
    parts = dict.fromkeys((fewer_rows, fewer_steps, fewer, "lower policy.layer_size"), 0.0)
    parts[fewer_rows] += kept
    regression = 0.0 if t.noadv else PAIR * (2.0 * len(spec.columns)) ** 2
    parts[fewer_steps] += grading + spec.solution_memory * spec.steps + regression
    parts[fewer] += world + recorded
    parts["lower policy.layer_size"] += NETWORKS * 8.0 * _parameters(config, spec)
    process = spec.memory + (TORCH if tensor or device_only else 0.0)
    return Demand(float(spec.steps) * t.nb * t.ne, process, parts)


def states_at_once(state: float) -> int:
    """States of so many bytes that a thread plays side by side."""
    return int(min(max(STATES // max(state, 1.0), 1), SIDE_BY_SIDE))


def require(config: Config) -> None:
    """Raise ConfigError where training would need more memory than the machine, or its control group, has."""
    fault = demand(config).beyond(memory())
    if fault:
        raise ConfigError(f"this cannot be trained here: {fault}, or try it with --force")


def require_trajectory(config: Config, count: int = 1) -> None:
    """Raise ConfigError where even `count` trajectories, one a thread at once, need more memory than there is."""
    spec = spec_of(config)
    state = states_at_once(spec.trajectory_memory) * spec.trajectory_memory
    needed = spec.memory + state * (config.run.threads or cpus())
    needed += float(spec.steps) * (PLAYED * (count if count == 1 else count * COPIED) + spec.solution_memory)
    if needed > memory():
        raise ConfigError(
            f"this cannot be simulated here: about {size(needed)} of memory is needed, there is {size(memory())}: "
            f"{spec.memory_remedy or 'lower market.nt'}"
        )


def require_disk(needed: float, folder: Path, remedy: str) -> None:
    """Raise ConfigError where a folder has not room for so many bytes."""
    place = folder if folder.is_dir() else Path()
    free = shutil.disk_usage(place).free
    if needed > max(free, 1e6):
        raise ConfigError(f"about {size(needed)} would be written, the disk has {size(free)}: {remedy}")


def size(count: float) -> str:
    """Bytes for readers."""
    if count < 9.95e8:
        return f"{round(count / 1e7) * 10} MB"
    for unit, name in ((1e9, "GB"), (1e12, "TB")):
        if count < 999.5 * unit:
            return f"{count / unit:.{1 if count < 99.95 * unit else 0}f} {name}"
    return f"{count / 1e15:.3g} PB"


def _views(config: Config) -> list[str]:
    """The settings of how much of the market is observed."""
    return [spec.key for spec in fields(config.market.name) if spec.part == "view" and spec.kind == "int"]


def _lower(names: list[str]) -> str:
    return "lower " + " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _parameters(config: Config, spec: Spec) -> float:
    """Numbers of the policy's network."""
    p = config.policy
    outputs = len(spec.axes) if p.kind == "gaussian" else sum(len(axis.grid) for axis in spec.axes)
    sizes = [len(spec.columns), *[p.layer_size] * p.layers, outputs]
    return float(sum((a + 1) * b for a, b in itertools.pairwise(sizes)))
