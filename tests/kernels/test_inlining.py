"""Functions that kernels inline are compiled into kernels only, with the results that they have in plain Python."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from llvmlite import binding
from numba import njit

from mmrl.kernels.inlining import NO_WRAPPERS, InlinedDispatcher
from mmrl.kernels.jit import called, inlined, inlined_fast


@inlined
def _scaled(x, factor):
    return math.exp(x) * factor


@called
def _summed(values, factor):
    total = 0.0
    for value in values:
        total += _scaled(value, factor)
    return total


@inlined_fast
def _mean(values):
    return _summed(values, 1.0) / values.shape[0]


def test_a_kernel_that_inlines_equals_plain_python() -> None:
    @njit
    def kernel(values, factor):
        return _summed(values, factor), _mean(values), _scaled(values[0], factor)

    values = np.linspace(-1.0, 1.0, 17)
    total = sum(math.exp(value) * 3.0 for value in values)
    assert np.allclose(kernel(values, 3.0), (total, total / 3.0 / 17, math.exp(-1.0) * 3.0), rtol=1e-14, atol=0)
    assert kernel(values, 2) == kernel(values, 2.0)  # a second signature of each


def test_it_has_no_machine_code_of_its_own_until_python_calls_it() -> None:
    kernel = njit(lambda values: _summed(values, 0.5))
    values = np.ones(4)
    assert math.isclose(kernel(values), 2 * math.e)
    assert isinstance(_summed, InlinedDispatcher) and _summed.targetoptions.items() >= NO_WRAPPERS.items()
    overloads: Any = _summed.overloads
    (found,) = (made for types, made in overloads.items() if str(types[1]) == "float64")
    assert found.library.get_pointer_to_function(found.fndesc.llvm_func_name) == 0
    assert math.isclose(_summed(values, 0.5), 2 * math.e)  # a crash, were it not for the twin


def test_an_error_of_types_names_the_function_as_ever() -> None:
    from numba.core.errors import TypingError

    with pytest.raises(TypingError, match="_scaled"):
        njit(lambda text: _scaled(text, 2.0))("word")


BEYOND = """
import numba, numpy as np
from mmrl.kernels import cache
from mmrl.kernels.jit import called, inlined, inlined_fast

@inlined
def put(values, at):
    values[at] = 1.0

@inlined_fast
def put_fast(values, at):
    values[at] = 1.0

@called
def put_deep(values, at):
    put(values, at)

@numba.njit(error_model="numpy")
def kernel(values, at, how):
    if how == 0:
        put(values, at)
    elif how == 1:
        put_fast(values, at)
    else:
        put_deep(values, at)

for how in range(3):
    whole = np.zeros(4)
    try:
        kernel(whole[:3], 3, how)
    except IndexError:
        print("refused", whole[3])
    else:
        print("written", whole[3])
print(cache.kept_in)
"""


def test_numba_checks_every_index_of_inlined_functions_when_asked_to() -> None:
    """And its kernels lie in a folder of their own: those compiled before check nothing."""

    def outcome(**variables: str) -> list[str]:
        ordinary = {key: value for key, value in os.environ.items() if key not in ("NUMBA_BOUNDSCHECK", "NUMBA_OPT")}
        environment = {**ordinary, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), **variables}
        command = [sys.executable, "-P", "-c", BEYOND]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()

    *found, folder = outcome()
    assert found == ["written 1.0"] * 3  # one place beyond, which here is another's
    *found, checked = outcome(NUMBA_BOUNDSCHECK="1")
    assert found == ["refused 0.0"] * 3 and checked != folder


WIDTHS = """
import sys
import numpy as np
from mmrl.kernels import jit
from mmrl.kernels.instructions import LANES, WIDEST

def add(x, y):
    for k in range(x.shape[0]):
        x[k] += y[k]

{how} = jit.{how}(add)
x, y = np.ones(100), np.arange(100.0)
{how}(x, y)
assert (x == y + 1.0).all()
[code] = {how}.inspect_asm().values()
print(WIDEST // LANES, "zmm" in code)
"""


def widths(how: str, **variables: str) -> str:
    command = [sys.executable, "-c", WIDTHS.format(how=how)]
    others = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_CPU_")} | variables
    return subprocess.run(command, env=others, capture_output=True, text=True, check=True).stdout.strip()


def test_vectors_are_as_wide_as_the_processor_has_them_unless_its_features_are_given() -> None:
    features = binding.get_host_cpu_features()
    if not features.get("avx512f"):
        pytest.skip("no vectors of 512 bits here")
    assert [widths(how) for how in ("kernel", "vector_kernel", "scalar_kernel")] == ["2 True", "2 True", "2 False"]
    features["prefer-256-bit"] = True
    assert widths("kernel", NUMBA_CPU_FEATURES=features.flatten()) == "2 False"
    features["avx512f"] = False
    assert widths("kernel", NUMBA_CPU_FEATURES=features.flatten()) == "1 False"
