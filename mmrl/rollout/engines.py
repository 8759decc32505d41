"""Which engine rolls out: compiled kernels on a CPU, the same on CUDA, batched tensors on any accelerator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from mmrl.rollout.buffers import Buffers
from mmrl.rollout.compiled import rollout
from mmrl.rollout.devices import resolve
from mmrl.rollout.threads import thread_count
from mmrl.rollout.trajectories import Trajectories
from mmrl.rollout.weights import PolicyWeights
from mmrl.settings.model import Config

if TYPE_CHECKING:
    import torch


class ActingPolicy(Protocol):
    """What the engines ask of a policy."""

    def weights(self, normaliser: Any) -> PolicyWeights:
        """Its numbers as plain arrays, with the statistics that observations are normalised by."""
        ...

    def sample(self, observation: torch.Tensor, generator: torch.Generator | None = None) -> Any:
        """Actions [rows, A] of normalised observations and their log-probabilities [rows]."""
        ...


class Engine(Protocol):
    """Simulates trajectories under a policy; `device` is where the learner works, `threads` are those of the host."""

    name: str
    device: str
    threads: int

    def prepare(self) -> float:
        """Make ready whatever the first rollout needs; returns the seconds it took."""
        ...

    def rollout(
        self, policy: ActingPolicy, normaliser: Any, *, seed: int, epoch: int, count: int, first: int = 0
    ) -> Trajectories:
        """Trajectories first .. first + count - 1 of (seed, epoch)."""
        ...


class CompiledEngine:
    """Numba kernels, trajectories in parallel on the CPU."""

    name = "compiled"

    def __init__(self, config: Config, device: str) -> None:
        self.config, self.device = config, device
        self.threads = thread_count(config.run.threads)
        self.buffers = Buffers(flows=False)

    def prepare(self) -> float:
        """Compile the market's kernel, or load it from the cache on disk; returns the seconds it took."""
        from mmrl.rollout.compiled import prepare

        return prepare(self.config)

    def rollout(
        self, policy: ActingPolicy, normaliser: Any, *, seed: int, epoch: int, count: int, first: int = 0
    ) -> Trajectories:
        """Those trajectories as numpy arrays without flows; the next rollout overwrites them."""
        weights = policy.weights(normaliser)
        return rollout(self.config, weights, seed, epoch, first, count, self.threads, self.buffers)


class TorchEngine:
    """Batched torch operations on the learner's own device."""

    name = "tensor"
    threads = 1

    def __init__(self, config: Config, device: str) -> None:
        from mmrl.rollout.tensor import TensorEngine

        self.device = device
        self.engine = TensorEngine(config, device)

    def prepare(self) -> float:
        """Nothing to compile."""
        return 0.0

    def rollout(
        self, policy: ActingPolicy, normaliser: Any, *, seed: int, epoch: int, count: int, first: int = 0
    ) -> Trajectories:
        """All trajectories of (seed, epoch) as tensors on the device; a part of them has no stream of its own."""
        if first:
            raise ValueError("the tensor engine simulates all trajectories of an epoch: use --engine compiled or cuda")
        return self.engine.rollout(policy, normaliser, seed, epoch, count)


class NumbaCudaEngine:
    """The market's kernel on an NVIDIA GPU, one trajectory a thread."""

    name = "cuda"
    threads = 1

    def __init__(self, config: Config, device: str) -> None:
        from mmrl.rollout.cuda import CudaEngine

        self.device = device
        self.engine = CudaEngine(config, device)

    def prepare(self) -> float:
        """Compile the market's kernel for the device; returns the seconds it took."""
        return self.engine.prepare()

    def rollout(
        self, policy: ActingPolicy, normaliser: Any, *, seed: int, epoch: int, count: int, first: int = 0
    ) -> Trajectories:
        """Those trajectories as tensors on the device, without flows."""
        return self.engine.rollout(policy.weights(normaliser), seed, epoch, count, first=first)


ENGINES: dict[str, Any] = {"compiled": CompiledEngine, "cuda": NumbaCudaEngine, "tensor": TorchEngine}


def make_engine(config: Config) -> Engine:
    """The engine and device that a config asks for; raises ValueError naming those present when it cannot be."""
    engine, device = resolve(config)
    made: Engine = ENGINES[engine](config, device)
    return made
