"""Deliberate mistakes, switched on in a forked child: a check that does not catch its mutant proves nothing."""

from __future__ import annotations

from tests.faults.mutants import disk, machine, poisons, strangers, training


def switch_on(name: str) -> None:
    """Make one mistake in this process, by the name of its function."""
    for module in (disk, training, poisons, strangers, machine):
        mistake = getattr(module, name, None)
        if mistake is not None:
            mistake()
            return
    raise LookupError(name)
