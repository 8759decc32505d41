"""Options for all settings, made only when their command is asked for: reading the settings takes longer than a help
page."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cached_property
from typing import Any


class WithSettings:
    """A command with an option for every setting; it receives the given ones as `settings`, by dotted key."""

    def __init__(self, command: Callable[..., Any]) -> None:
        self.command = command
        self.__name__, self.__doc__ = command.__name__, command.__doc__

    @cached_property
    def __signature__(self) -> inspect.Signature:
        from mmrl.commands.options import signature_of

        return signature_of(self.command)

    def __getattr__(self, name: str) -> Any:
        if name == "__annotations__":
            return {p.name: p.annotation for p in self.__signature__.parameters.values()}
        raise AttributeError(name)

    def __call__(self, **arguments: Any) -> Any:
        from mmrl.commands.options import called

        return called(self.command, arguments)
