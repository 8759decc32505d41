"""Columns of a batch as numpy arrays or as tensors of torch, so that a formula on them is written once for both.

The functions that numpy and torch name alike are called through `library`; here stands what they name differently.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Column = Any
"""numpy.ndarray or torch.Tensor."""
CHUNK = 1 << 18
"""Rows of a device that are widened to float64 at once."""


def library(column: Column) -> Any:
    """The library that a column belongs to, numpy or torch."""
    if isinstance(column, np.ndarray):
        return np
    import torch

    return torch


def host(column: Column) -> npt.NDArray[Any]:
    """The column as a numpy array, without a copy where it lies on the host."""
    if isinstance(column, np.ndarray):
        return column
    return column.detach().cpu().numpy() if hasattr(column, "detach") else np.asarray(column)


def doubles(column: Column) -> Column:
    """The column in float64, where it lies."""
    return column.astype(np.float64, copy=False) if isinstance(column, np.ndarray) else column.double()


def placed(column: Column, device: str) -> Column:
    """The column where a device works: an array of numpy for the CPU, else a tensor there."""
    if device == "cpu":
        return host(column)
    import torch

    return torch.as_tensor(column).to(device)


def beside(array: Column, column: Column) -> Column:
    """The array in the library and on the device of a column."""
    return host(array) if isinstance(column, np.ndarray) else library(column).as_tensor(array, device=column.device)


def like(array: npt.NDArray[Any], column: Column) -> Column:
    """The array in the library, on the device and in the type of a column."""
    if isinstance(column, np.ndarray):
        return array.astype(column.dtype, copy=False)
    return library(column).as_tensor(array, dtype=column.dtype, device=column.device)


def singles(column: Column) -> Column:
    """The column in float32, where it lies."""
    return column.astype(np.float32, copy=False) if isinstance(column, np.ndarray) else column.float()


def copied(column: Column) -> Column:
    """The same numbers in memory of their own."""
    return library(column).asarray(column, copy=True)


def joined(columns: list[Column]) -> Column:
    """Columns of one kind, one after another."""
    return np.concatenate(columns) if isinstance(columns[0], np.ndarray) else library(columns[0]).cat(columns)


def mean(column: Column) -> float:
    """The mean of all numbers."""
    return float(column.mean() if isinstance(column, np.ndarray) else column.double().mean())


def variance(column: Column) -> float:
    """The variance of all numbers, divided by their count."""
    return float(column.var() if isinstance(column, np.ndarray) else column.double().var(correction=0))


def std(column: Column) -> float:
    """The standard deviation of all numbers, divided by their count."""
    return math.sqrt(variance(column))


def following(column: Column, offsets: Column, beyond: Column) -> Column:
    """Each row's value one row later [nnz]; after the last row of trajectory n it is beyond[n]."""
    out = library(column).empty_like(column)
    out[:-1] = column[1:]
    lived = offsets[1:] > offsets[:-1]
    out[offsets[1:][lived] - 1] = beyond[lived]
    return out
