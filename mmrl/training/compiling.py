"""Kernels are compiled at the first use on a machine, which takes ten seconds to minutes: say so, and for how long."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mmrl.settings.model import Config

EVERY = 10.0
"""Seconds between two notes."""


@contextmanager
def compiling(say: Callable[[str], None], every: float = EVERY) -> Iterator[None]:
    """Around what compiles: say what happens, then now and then for how long, and at the end how long it took."""
    from mmrl.kernels.jit import announced

    began, done = time.monotonic(), threading.Event()

    def tell() -> None:
        while not done.wait(every):
            say(f"still compiling, {time.monotonic() - began:.0f} s so far")

    say(announced("the market"))
    teller = threading.Thread(target=tell, name="compiling", daemon=True)
    teller.start()
    try:
        yield
    finally:
        done.set()
        teller.join()
    say(f"compiled in {time.monotonic() - began:.1f} s")


def compile_first(config: Config, say: Callable[[str], None], *, learned: bool = True, classical: bool = False) -> None:
    """Compile what rolls out learned policies and classical agents, and say so before something does it silently."""
    from mmrl.rollout.compiled import compile_needed, prepare

    kinds = {True} if learned else set()
    kinds |= {False} if classical else set()
    if compile_needed(config, kinds):
        with compiling(say):
            prepare(config, kinds)
