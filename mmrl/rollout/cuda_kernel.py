"""The rollout of a market as a CUDA kernel: the loop and the functions that the CPU runs, one trajectory a thread.

Nothing of the law is written here. Numba compiles functions that are decorated for the CPU for the device too, as they
stand; this file puts a market's into one kernel and says which part of every array belongs to a thread.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any

from numba import cuda, njit
from numba.core.dispatcher import Dispatcher

from mmrl.kernels.cuda_numpy import SIMULATED, complete_numpy
from mmrl.kernels.play import Draw, Ends, Rows, Scratch, play_one
from mmrl.rollout.law import Law
from mmrl.rollout.one_state import state_of_one

REGISTERS = 168
"""Of a thread, at most: 12 warps of a multiprocessor in place of 8, for a few numbers in memory."""

reset: Any = None
observe: Any = None
act: Any = None
advance: Any = None
account: Any = None
heuristic: Any = None
split: Any = None
of_states: Any = None
of_rows: Any = None
of_ends: Any = None
of_memory: Any = None
"""Put in by `kernel_of`, for each market its own."""


def trajectories(p, states, maker, reward, rows, ends, draw, memory):
    """Play the trajectories of `draw`: thread k has number k, and with fewer threads every so many-th after it.

    Every array of `rows` and `ends` has a trajectory in front, every array of `states` and `memory` a thread.
    """
    thread = cuda.grid(1)  # type: ignore[attr-defined]
    for n in range(thread, draw.count, cuda.gridsize(1)):  # type: ignore[attr-defined]
        s, x, own = of_states(states, thread), of_memory(memory, thread), of_rows(rows, n)
        one = Draw(draw.seed, draw.epoch, draw.first + n, 1, draw.steps)
        play_one(
            reset, observe, act, advance, account, heuristic, split,
            p, s, maker, reward, own, of_ends(ends, n), one, 0, x,
        )  # fmt: skip


def kernel_of(market: str, law: Law, state: Any, shared: tuple[str, ...]) -> Any:
    """The kernel of a market whose state is of the class `state` (None: one record), compiled at its first call.

    `shared` are the names of those of the state's arrays that all threads have in common.
    """
    takers = {
        "of_states": state_of_one(state, shared),
        "of_rows": _rows_of,
        "of_ends": _ends_of,
        "of_memory": _memory_of,
    }
    function = FunctionType(trajectories.__code__, {**globals(), **law._asdict(), **takers}, "trajectories")
    function.__qualname__ = f"trajectories_{market.replace('-', '_')}"
    if SIMULATED:
        return cuda.jit(function)
    complete_numpy()
    for part in law:
        _keep_calls(part, set())
    return cuda.jit(function, max_registers=REGISTERS)


@njit(inline="always")
def _rows_of(all, i):
    return Rows(
        all.observation[i],
        all.action[i],
        all.log_prob[i],
        all.reward[i],
        all.time[i],
        all.cash[i],
        all.inventory[i],
        all.mid[i],
        all.bid[i],
        all.ask[i],
        all.bought[i],
        all.sold[i],
        all.paid[i],
        all.received[i],
        all.revaluation[i],
    )


@njit(inline="always")
def _ends_of(all, i):
    return Ends(
        all.length[i],
        all.time[i],
        all.cash[i],
        all.inventory[i],
        all.mid[i],
        all.value[i],
        all.terminated[i],
        all.observation[i],
        all.split[i],
    )


@njit(inline="always")
def _memory_of(all, i):
    return Scratch(
        all.rng[i],
        all.raw[i],
        all.hidden[i],
        all.quote[i],
        all.std[i],
    )


def _keep_calls(function: Any, seen: set[int]) -> None:
    """Let functions that are `called`, not inlined, on the CPU be so on the device: NVVM would inline every call.

    The order flow then takes a fifth of the time to compile. Numba has no option for it, so the device's twin of such a
    function, which numba keeps at the function, is made here.
    """
    from numba.cuda.dispatcher import CUDADispatcher

    class Called(CUDADispatcher):  # type: ignore[misc]
        def compile_device(self, args: Any, return_type: Any = None) -> Any:
            new = args not in self.overloads
            compiled = super().compile_device(args, return_type)
            if new:
                compiled.library.get_function(compiled.fndesc.llvm_func_name).attributes.add("noinline")
            return compiled

    if not isinstance(function, Dispatcher) or id(function) in seen:
        return
    seen.add(id(function))
    if not function.targetoptions.get("forceinline") and not hasattr(function, _TWIN):
        options = {**function.targetoptions, "device": True, "debug": False, "opt": True}
        setattr(function, _TWIN, Called(function.py_func, options))
    for name in function.py_func.__code__.co_names:
        _keep_calls(function.py_func.__globals__.get(name), seen)


_TWIN = "_CUDATypingContext__dispatcher"
"""Where numba looks for the device's twin of a function (`CUDATypingContext.resolve_value_type`)."""
