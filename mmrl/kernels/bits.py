"""Single bits of whole numbers, and whole numbers as floating-point ones of the same bits, in compiled code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

_WORD, _DOUBLE, _FLAG = ir.IntType(64), ir.DoubleType(), ir.IntType(1)


def _count(name: str) -> Callable[..., Any]:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        function = builder.module.declare_intrinsic(name, [_WORD], ir.FunctionType(_WORD, [_WORD, _FLAG]))
        return builder.call(function, [values[0], _FLAG(1)])

    return code


@intrinsic
def _lowest_bit(typing: Any, word: Any) -> Any:
    return types.int64(types.uint64), _count("llvm.cttz")


@intrinsic
def _zeros_above(typing: Any, word: Any) -> Any:
    return types.int64(types.uint64), _count("llvm.ctlz")


def _cast(kind: Any) -> Callable[..., Any]:
    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.bitcast(values[0], kind)

    return code


@intrinsic
def _bits_of(typing: Any, x: Any) -> Any:
    return types.int64(types.float64), _cast(_WORD)


@intrinsic
def _number_of(typing: Any, bits: Any) -> Any:
    return types.float64(types.int64), _cast(_DOUBLE)


def _lowest_in_python(word: Any) -> int:
    return (int(word) & -int(word)).bit_length() - 1


def _above_in_python(word: Any) -> int:
    return 64 - int(word).bit_length()


def _bits_in_python(x: float) -> np.int64:
    return np.float64(x).view(np.int64)  # type: ignore[no-any-return]


def _number_in_python(bits: np.int64) -> np.float64:
    return np.int64(bits).view(np.float64)  # type: ignore[no-any-return]


_config: Any = numba.config
_plain = _config.DISABLE_JIT or _config.ENABLE_CUDASIM
lowest_bit: Any = _lowest_in_python if _plain else _lowest_bit
"""Place of the lowest 1 of a uint64 that is not 0."""
zeros_above: Any = _above_in_python if _plain else _zeros_above
"""Zeros above the highest 1 of a uint64 that is not 0."""
bits_of: Any = _bits_in_python if _plain else _bits_of
"""The bits of a float64 as a whole number."""
number_of: Any = _number_in_python if _plain else _number_of
"""The float64 of these bits."""
