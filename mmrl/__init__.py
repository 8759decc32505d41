"""Market making by reinforcement learning: simulate, train, watch."""

TYPE_CHECKING = False  # type checkers know the name; `typing` is not imported before __main__ has set the import path
if TYPE_CHECKING:
    from typing import Any

    from mmrl.markets.book.order_book import LimitOrderBook

__version__ = "0.1.0"
__all__ = ["LimitOrderBook", "__version__"]


def __getattr__(name: str) -> "Any":
    """Import the public classes when they are asked for: numba takes its time."""
    if name == "LimitOrderBook":
        from mmrl.markets.book.order_book import LimitOrderBook

        return LimitOrderBook
    raise AttributeError(f"module 'mmrl' has no attribute {name!r}")
