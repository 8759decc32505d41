"""Market making by reinforcement learning: simulate, train, watch.

What `__all__` names is the public interface (docs/library.md); everything else may change without notice. The names are
imported when they are first used: torch and numba take their time.
"""

import sys

TYPE_CHECKING = False  # type checkers know the name; `typing` is not imported before __main__ has set the import path
if TYPE_CHECKING:
    from typing import Any

    from mmrl.api.evaluating import evaluate as evaluate
    from mmrl.api.listing import markets as markets
    from mmrl.api.listing import runs as runs
    from mmrl.api.simulating import simulate as simulate
    from mmrl.api.training import train as train
    from mmrl.markets.book.limit_order_book import LimitOrderBook as LimitOrderBook
    from mmrl.policy.policy import Policy as Policy
    from mmrl.policy.policy import Quotes as Quotes
    from mmrl.policy.reading import load as load
    from mmrl.settings.model import Config as Config

__version__ = "0.1.0"
__all__ = [
    "Config",
    "LimitOrderBook",
    "Policy",
    "Quotes",
    "__version__",
    "evaluate",
    "load",
    "markets",
    "runs",
    "simulate",
    "train",
]

_HOMES = {
    "Config": "mmrl.settings.model",
    "LimitOrderBook": "mmrl.markets.book.limit_order_book",
    "Policy": "mmrl.policy.policy",
    "Quotes": "mmrl.policy.policy",
    "load": "mmrl.policy.reading",
    "simulate": "mmrl.api.simulating",
    "train": "mmrl.api.training",
}
_PACKAGES = {"evaluate": "mmrl.api.evaluating", "markets": "mmrl.api.listing", "runs": "mmrl.api.listing"}
"""Public functions that share their name with a package of the inside."""


def _module(name: str) -> "Any":
    from importlib import import_module

    return import_module(name)


def __getattr__(name: str) -> "Any":
    """Import a public name at its first use."""
    if name in _HOMES:
        return getattr(_module(_HOMES[name]), name)
    if name in _PACKAGES:
        return _module(f"mmrl.{name}")
    raise AttributeError(f"module 'mmrl' has no attribute {name!r}")


def __dir__() -> "list[str]":
    return sorted({*globals(), *__all__})


class _Callable(type(sys)):  # type: ignore[misc]
    """A package that is called as the public function of its name: `mmrl.runs()`, beside `import mmrl.runs.store`."""

    def __call__(self, *arguments: "Any", **named: "Any") -> "Any":
        return self._function(*arguments, **named)

    @property
    def _function(self) -> "Any":
        name = self.__name__.rpartition(".")[2]
        return getattr(_module(_PACKAGES[name]), name)

    @property
    def __doc__(self) -> "Any":  # type: ignore[override]
        return self._function.__doc__

    def __reduce__(self) -> "Any":
        return _module, (self.__name__,)

    @property
    def __signature__(self) -> "Any":
        from inspect import signature

        return signature(self._function)


class _Library(type(sys)):  # type: ignore[misc]
    """This package: whenever one of `_PACKAGES` is imported, it becomes callable."""

    def __setattr__(self, name: str, value: "Any") -> None:
        if name in _PACKAGES and type(value) is type(sys):
            value.__class__ = _Callable
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Library
