"""Threads that sum up the gradients of an update together, minibatch after minibatch."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from mmrl.kernels.jit import in_memory
from mmrl.kernels.shares import counters_of
from mmrl.kernels.threads import Helpers, put, wait
from mmrl.learn.blocks import MANY, span_of, spans_of
from mmrl.learn.compiled_pass import ANYONE, COUNT, LEFT, SIZE, SPANS, Loss, Rows, Sums, Weights, add_spans
from mmrl.rollout.threads import each, thread_count

ENOUGH, LONGEST_PAUSE = 0.8, 64
ROOM = 1.1
"""Of the rows of a minibatch: those of the next ones may be some more."""


class Pass:
    """Sums of gradients over some of the same rows, for the same numbers of a policy and loss, on several threads.

    The threads beside the calling one look for the next call in compiled code for a moment: to wake one takes as long
    as a small minibatch.
    """

    def __init__(self, rows: Rows, policy: Weights, loss: Loss, threads: int = 1, looking: bool = True) -> None:
        """Threads that are not `looking` for calls are woken for each."""
        policy.require_all()
        self.looking = looking
        self.seconds = self.used = 0.0
        """Of calls for which threads were looking; by the clock, and that the calling thread ran."""
        alone = bool(numba.config.DISABLE_JIT)  # type: ignore[attr-defined]
        # a thread that waits for a processor would keep the others waiting
        self.threads = 1 if alone else min(threads, thread_count(0))
        self._given = rows, policy, loss
        self._helpers: Helpers | None = None
        self._make_room(0, 0)

    def sums(self, order: npt.NDArray[np.int64]) -> Sums:
        """Sums over the rows `order` of the gradients of policy and log_std, and of the totals [4].

        The entropy bonus is part of a categorical policy's gradient; a Gaussian's entropy depends on log_std alone.
        """
        size = span_of(len(order), self._given[1].flat.size)
        spans = spans_of(len(order), size)
        if len(order) > len(self._order) or spans > len(self._sums.totals):
            self.close()
            self._make_room(int(ROOM * len(order)), spans)
        self._order[: len(order)] = order
        self._counters[[COUNT, SIZE, SPANS]] = len(order), size, spans
        if min(self.threads, spans) == 1:
            add_spans(*self._arguments, 0)
        elif len(order) <= MANY and (helpers := self._looking()):  # else who waits here keeps a processor from others
            helpers.wake()
            began, used = time.perf_counter(), time.thread_time()
            add_spans(*self._arguments, 0)
            self.seconds, self.used = self.seconds + time.perf_counter() - began, self.used + time.thread_time() - used
            helpers.require_sound()
        else:
            put(self._counters, LEFT, spans)
            each(lambda thread: add_spans(*self._arguments, ANYONE), self.threads, self.threads)
            wait(self._counters)  # for those that the minibatch before, of some rows less, has left looking
        return Sums(*(array[:spans].sum(0) for array in self._sums))

    def close(self) -> None:
        """End the threads."""
        helpers, self._helpers = self._helpers, None
        if helpers is not None:
            helpers.close()

    def _make_room(self, rows: int, spans: int) -> None:
        """Memory that all threads know, for calls with so many rows and spans at most."""
        _, policy, loss = self._given
        self._order = np.zeros(rows, np.int64)
        self._sums = Sums(
            policy=np.zeros((spans, policy.flat.size), np.float32),
            log_std=np.zeros((spans, loss.log_std.size), np.float64),
            totals=np.zeros((spans, 4), np.float64),
        )
        self._counters = counters_of(self.threads, 0)
        rows_of, *others = self._given
        self._arguments: tuple[Any, ...] = rows_of, self._order, *others, self._sums, self._counters

    def _looking(self) -> Helpers | None:
        """The threads that look for calls, begun with the first one; None where they shall not or cannot."""
        if self.looking and self._helpers is None:
            if not in_memory(add_spans):
                add_spans(*self._arguments, 0)  # threads would compile it at once
            try:
                self._helpers = Helpers(self.threads - 1, partial(add_spans, *self._arguments), self._counters)
            except RuntimeError:  # the machine starts no more threads: those that are there do it
                self.looking = False
        return self._helpers


class Team:
    """So many threads for the gradients of updates: `with team:` around each update.

    Where more threads want to run than there are processors, those that look for work keep others from it, their own
    caller too. So if in an update the caller ran for less of its time than `ENOUGH`, threads are woken for the next
    ones, twice as many after each that was so again.
    """

    def __init__(self, threads: int = 1) -> None:
        self.threads = threads
        self._key: tuple[object, ...] = ()
        self._coefficient = 0.0
        self._pass: Pass | None = None
        self._calm, self._pause = 0, 0  # updates to come without looking, and as many as there were last

    def __enter__(self) -> Team:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        last = self._pass
        self.close()
        if self._calm:
            self._calm -= 1
        elif last is not None and last.seconds:
            crowded = last.used < ENOUGH * last.seconds
            self._calm = self._pause = min(max(2 * self._pause, 1), LONGEST_PAUSE) if crowded else 0

    def pass_of(self, key: tuple[object, ...], coefficient: float, make: Callable[[bool], Pass]) -> Pass:
        """The pass for these very objects and this number: that of the call before, or a new one by `make(looking)`."""
        same = self._pass is not None and coefficient == self._coefficient
        if not same or any(one is not other for one, other in zip(key, self._key, strict=True)):
            self.close()
            self._key, self._coefficient, self._pass = key, coefficient, make(not self._calm)
        assert self._pass is not None
        return self._pass

    def close(self) -> None:
        """End the threads."""
        before, self._key, self._pass = self._pass, (), None
        if before is not None:
            before.close()
