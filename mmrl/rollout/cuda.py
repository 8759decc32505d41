"""The cuda engine: rollouts on an NVIDIA GPU by the market's compiled law, one trajectory a thread.

Streams belong to (seed, epoch, index), as in the compiled engine, so both engines play the same trajectories; they part
where exp, log or a fused product of the device differs in the last place and a random number falls in between.

Memory is torch's and handed over without a copy. Plain arrays lie with the thread as their last index, so that
neighbouring threads, which are at the same step, read and write neighbouring words; kernels see each as [thread, ...].
Records (the order flow's book, prices and orders) lie thread after thread, as one record has all of its numbers in one
place: a thread that looks for an order then reads one sector of memory, but what all threads read at once, such as the
best price, comes from as many sectors as there are threads.
Shapes: N trajectories, T steps, nnz live steps in all.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from numba import cuda
from torch import Tensor

from mmrl.kernels.account import Overfull
from mmrl.kernels.cuda_numpy import SIMULATED
from mmrl.kernels.play import Draw, scratch
from mmrl.markets.contract import spec_of
from mmrl.rollout.buffers import Buffers, room_for_ends
from mmrl.rollout.cuda_kernel import kernel_of
from mmrl.rollout.law import law_of, shared_of, size_of
from mmrl.rollout.makers import maker_of
from mmrl.rollout.quoters import Quoter, fixed, learned
from mmrl.rollout.rewards import reward_of
from mmrl.rollout.trajectories import Trajectories
from mmrl.rollout.weights import PolicyWeights
from mmrl.settings.model import Config

THREADS = 32
"""Of a block, at most: a warp, whose threads wait at every branch for those that take the other way."""
FEWEST = 4
"""Threads of a block where there are few trajectories; with fewer still, multiprocessors have more warps than they can
serve at once."""
WARPS = 4
"""Of a multiprocessor, one for each of its schedulers: so many blocks it has before blocks grow beyond `FEWEST`."""
STATES = 0.5
"""Share of the free memory of the device for states; where it is short, threads play several trajectories each."""
_kernels: dict[str, Any] = {}


class CudaEngine:
    """Rollouts of a config's market on a device: cuda, or with numba's simulator the CPU."""

    def __init__(self, config: Config, device: str | torch.device = "cuda") -> None:
        self.config, self.device = config, torch.device(device)
        self._law, parameters, state = law_of(config)
        self._parameters = self._sent(parameters)
        self._state = state
        self._kind = type(state) if isinstance(state, tuple) else None
        self._shared = shared_of(state, parameters)
        self._threads = 0
        self._states: Any = None
        self._memory: Any = None

    def rollout(
        self,
        quoter: Quoter | PolicyWeights,
        seed: int,
        epoch: int,
        count: int | None = None,
        steps: int | None = None,
        first: int = 0,
    ) -> Trajectories:
        """Simulate trajectories first .. first + count - 1 of (seed, epoch), of at most `steps` steps, without flows.

        The batch is of tensors on the device. Raises Overfull where a market ran out of the room of its state.
        """
        count = self.config.training.nb if count is None else count
        steps = spec_of(self.config).steps if steps is None else steps
        rows, ends = self._records(count, steps)
        arguments, blocks = self.arguments(quoter, Draw(seed, epoch, first, count, steps), rows, ends)
        threads = self._threads_of_block(count)
        self.kernel()[blocks * (THREADS // threads), threads](*arguments)
        return _packed(rows, ends, steps)

    def _threads_of_block(self, count: int) -> int:
        """A power of two: few trajectories are spread over all multiprocessors, each with few to wait for."""
        if self.device.type != "cuda":
            return THREADS
        processors = torch.cuda.get_device_properties(self.device).multi_processor_count
        threads = FEWEST
        while threads < min(THREADS, count / (WARPS * processors)):
            threads *= 2
        return threads

    def kernel(self) -> Any:
        """The kernel of the market, one a process; compiled at its first call."""
        name = self.config.market.name
        if name not in _kernels:
            _kernels[name] = kernel_of(name, self._law, self._kind, tuple(self._shared))
        return _kernels[name]

    def arguments(
        self, quoter: Quoter | PolicyWeights, draw: Draw, rows: Any = None, ends: Any = None
    ) -> tuple[tuple[Any, ...], int]:
        """What the kernel takes for a draw, with room made where none is given, and its blocks of `THREADS`."""
        if rows is None:
            rows, ends = self._records(draw.count, draw.steps)
        maker = maker_of(self.config, learned(quoter) if isinstance(quoter, PolicyWeights) else quoter)
        one = Buffers().rows(1, rows.observation.shape[2], rows.action.shape[2])
        blocks = self._make_room(draw.count, scratch.py_func(maker, one))
        given = (rows, ends, self._memory)
        rows, ends, memory = (type(columns)(*map(_handed, columns)) for columns in given)
        sent = self._sent(maker), self._sent(reward_of(self.config))
        return (self._parameters, self._states, *sent, rows, ends, draw, memory), blocks

    def prepare(self) -> float:
        """Compile the kernel and let it run; returns the seconds it took."""
        began = time.perf_counter()
        if self.config.market.name not in _kernels:
            still = fixed(*(0.0,) * len(spec_of(self.config).axes))
            self.rollout(still, 0, 0, count=2, steps=min(2, spec_of(self.config).steps))
        return time.perf_counter() - began

    def _records(self, count: int, steps: int) -> tuple[Any, Any]:
        """Room for `Rows` [N, T, ...] and `Ends` [N, 1, ...], the latter of length -1 until a trajectory is over."""
        spec = spec_of(self.config)
        obs = len(spec.columns)
        one: Any = Buffers(flows=False).rows(steps, obs, len(spec.axes)), room_for_ends(1, obs, len(spec.split))
        rows, ends = (type(columns)(*(self._room(column, count) for column in columns)) for columns in one)
        ends.length.fill_(-1)
        return rows, ends

    def _make_room(self, count: int, memory: Any) -> int:
        """States and the memory of the loop for as many threads as are needed or fit; returns their blocks of
        `THREADS`."""
        wanted = -(-count // THREADS) * THREADS
        if wanted > self._threads:
            self._states = self._memory = None
            fit = wanted
            if self.device.type == "cuda":
                each = size_of(self._state) + sum(array.nbytes for array in memory)
                fit = int(STATES * torch.cuda.mem_get_info(self.device)[0]) // each // THREADS * THREADS
            self._threads = min(wanted, max(fit, THREADS))
            self._states = self._states_of(self._threads)
        if self._memory is None or self._memory.hidden.shape[1:] != memory.hidden.shape:  # another network
            self._memory = type(memory)(*(self._room(array, self._threads) for array in memory))
        self._memory.std.copy_(torch.from_numpy(memory.std))
        return min(wanted, self._threads) // THREADS

    def _states_of(self, threads: int) -> Any:
        """States of so many threads, empty, as kernels take them."""
        if self._kind is None:
            return self._state_part(self._state, threads)
        given = self._parameters
        parts = {
            name: getattr(given, self._shared[name]) if name in self._shared else self._state_part(one, threads)
            for name, one in self._state._asdict().items()
        }
        return self._kind(**parts)

    def _state_part(self, one: Any, threads: int) -> Any:
        one = np.asarray(one)
        if one.dtype.names is None:
            return _handed(self._room(one, threads).zero_())
        # bytes, since torch knows no records
        kept = torch.zeros(threads * one.nbytes, dtype=torch.uint8, device=self.device)
        kind = np.dtype((np.record, one.dtype)) if SIMULATED else one.dtype
        return _handed(kept).view(kind).reshape(threads, *one.shape)

    def _room(self, one: np.ndarray, count: int) -> Tensor:
        """Room [count, ...] in the type and shape of `one`, which lies in memory as [..., count]."""
        kind = torch.from_numpy(np.empty(0, one.dtype)).dtype
        return torch.empty((*one.shape, count), dtype=kind, device=self.device).movedim(-1, 0)

    def _sent(self, given: Any) -> Any:
        """A NamedTuple of numbers and arrays with its arrays on the device."""
        if self.device.type != "cuda":
            return given
        return type(given)(*(cuda.to_device(part) if isinstance(part, np.ndarray) else part for part in given))


def _handed(tensor: Tensor) -> Any:
    """The same memory as numba takes it."""
    return cuda.as_cuda_array(tensor) if tensor.is_cuda else tensor.numpy()


def _packed(rows: Any, ends: Any, steps: int) -> Trajectories:
    """The live rows, one trajectory after another, of `Rows` [N, T, ...] and `Ends` [N, 1, ...] of tensors.

    The one wait for the device: how many rows are alive decides the shape.
    """
    length = ends.length[:, 0]
    if bool((length < 0).any()):
        raise Overfull("a trajectory on the device ran out of the room of its state: raise the market's room")
    live = torch.arange(steps, device=length.device) < length[:, None]
    trajectory, step = live.nonzero(as_tuple=True)
    columns = {name: x[trajectory, step] if x.shape[1] else x.new_empty(0) for name, x in rows._asdict().items()}
    offsets: Any = torch.cat([length.new_zeros(1), length.cumsum(0)])
    end = {f"final_{name}": getattr(ends, name)[:, 0] for name in ("time", "value", "cash", "inventory", "mid")}
    return Trajectories(
        offsets=offsets,
        **columns,
        **end,
        terminated=ends.terminated[:, 0],
        last_observation=ends.observation[:, 0],
        split=ends.split[:, 0],
    )
