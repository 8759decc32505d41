"""How functions that kernels inline are compiled: typed and lowered, but never to machine code of their own.

Numba optimises every function that it compiles at full strength and emits machine code and wrappers for it, even where
its code is then copied into a kernel and optimised there once more. Leaving that out halves the time of a first start.
From Python such a function is called through an ordinary compiled twin.
"""

from __future__ import annotations

import weakref
from copy import copy
from functools import cache
from typing import Any

from llvmlite import binding
from numba import _dynfunc, njit  # type: ignore[attr-defined]
from numba import config as _numba_config
from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder
from numba.core.compiler_machinery import register_pass
from numba.core.registry import CPUDispatcher
from numba.core.typed_passes import NativeLowering

from mmrl.kernels.instructions import LANES, WIDEST

NO_WRAPPERS = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


class _InlinedLibrary(JITCodeLibrary):
    """Code that other libraries link in: inlined and simplified, neither fully optimised nor emitted."""

    def _optimize_final_module(self) -> None:
        passes, builder = self._codegen._module_pass_manager(
            loop_vectorize=False, slp_vectorize=False, opt=0, cost="cheap"
        )
        passes.run(self._final_module, builder)

    def _finalize_final_module(self) -> None:
        self._finalize_dynamic_globals()
        self._verify_declare_only_symbols()
        self._final_module._CPUCodeLibrary__library = weakref.proxy(self)
        self._finalized = True


@register_pass(mutates_CFG=True, analysis_only=False)
class _InlinedLowering(NativeLowering):
    """Lowers a function into a library that is only linked; what stands for it in calls has no address."""

    _name = "inlined_lowering"

    def run_pass(self, state: Any) -> bool:
        name = state.func_id.func_qualname
        state.library = library = _InlinedLibrary(state.targetctx.codegen(), name)
        library.enable_object_caching()
        state.flags.no_compile = True
        super().run_pass(state)
        library.finalize()
        lowered = state["cr"]
        module = lowered.fndesc.lookup_module()
        stand_in = _dynfunc.make_function(module, name.split(".")[-1], "inlined only", 0, lowered.env, (library,))
        state.targetctx.insert_user_function(stand_in, lowered.fndesc, [library])
        state.reload_init.extend(library._reload_init)
        state["cr"] = lowered._replace(cfunc=stand_in)
        return True


class InlinedCompiler(CompilerBase):
    """Numba's passes, with the lowering of inlined functions."""

    def define_pipelines(self) -> list[Any]:
        return [_with_lowering(self.state, _InlinedLowering)]


@cache
def _widest(codegen: Any) -> Any:
    """A code generator that makes vectors as wide as the processor has them.

    LLVM keeps to half of it on Intel's, the clock of which older ones slowed down for wider vectors. Whoever sets
    NUMBA_CPU_FEATURES decides that too.
    """
    config: Any = _numba_config
    if WIDEST == LANES or config.CPU_FEATURES is not None:
        return codegen
    options: dict[str, Any] = {"opt": config.OPT}
    codegen._customize_tm_options(options)
    options["features"] += ",-prefer-256-bit"
    other = copy(codegen)
    other._tm = binding.Target.from_default_triple().create_target_machine(**options)
    return other


def _compiler_of(name: str, **vectors: bool) -> type[CompilerBase]:
    """Numba's passes, with a lowering into a library in whose code LLVM looks for these kinds of vectors."""

    class Library(JITCodeLibrary):
        def _optimize_final_module(self) -> None:
            for options in ({"opt": 0, "cost": "cheap", "slp_vectorize": False}, {}):
                passes, builder = _widest(self._codegen)._module_pass_manager(**{**vectors, **options})
                passes.run(self._final_module, builder)

    class Lowering(NativeLowering):
        _name = f"{name}_lowering"

        def run_pass(self, state: Any) -> bool:
            state.library = Library(state.targetctx.codegen(), state.func_id.func_qualname)
            state.library.enable_object_caching()
            super().run_pass(state)
            return True

    lowering = register_pass(mutates_CFG=True, analysis_only=False)(Lowering)

    class Compiler(CompilerBase):
        def define_pipelines(self) -> list[Any]:
            return [_with_lowering(self.state, lowering)]

    return Compiler


def _with_lowering(state: Any, lowering: Any) -> Any:
    manager = DefaultPassBuilder.define_nopython_pipeline(state)
    manager.passes = [(lowering if one is NativeLowering else one, why) for one, why in manager.passes]
    manager.finalize()
    return manager


WideCompiler = _compiler_of("wide")
"""For kernels in whose long loops LLVM looks for vectors."""
ScalarCompiler = _compiler_of("scalar", loop_vectorize=False, slp_vectorize=False)
"""For kernels in whose loops LLVM looks for no vectors."""
VectorCompiler = _compiler_of("vector", loop_vectorize=True, slp_vectorize=True)
"""For kernels in which it looks for them in short loops too, which it writes out in full before."""


class InlinedDispatcher(CPUDispatcher):
    """What stands for an inlined function in Python: kernels inline it, Python calls its twin."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        twin = self.__dict__.get("twin")
        if twin is None:
            options = {key: value for key, value in self.targetoptions.items() if key not in (*NO_WRAPPERS, "nopython")}
            twin = self.__dict__["twin"] = njit(**options)(self.py_func)
        return twin(*arguments, **named)
