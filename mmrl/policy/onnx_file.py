"""A policy as an ONNX model: raw observations in, quotes in market units out; needs the package onnx."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from mmrl.policy.frozen import CLIP, Frozen

OPSET = 17
INPUT, OUTPUT = "observation", "quotes"


class _Graph:
    """Nodes and constants under construction."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self.helper, self.numpy_helper = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: Any, kind: Any) -> str:
        """The name of a constant."""
        name = f"c{len(self.constants)}"
        self.constants.append(self.numpy_helper.from_array(np.array(values, kind), name))
        return name

    def __call__(self, operation: str, *inputs: str, **attributes: Any) -> str:
        """Add a node; the name of what it gives."""
        name = f"n{len(self.nodes)}"
        self.nodes.append(self.helper.make_node(operation, list(inputs), [name], **attributes))
        return name


def write(frozen: Frozen, path: Path) -> None:
    """Write the model: float32 observations [N, obs], columns in order, to float64 quotes [N, A]."""
    import onnx
    from onnx import TensorProto, helper

    g = _Graph()
    scaled = g("Div", g("Sub", INPUT, g.constant(frozen.mean, "f4")), g.constant(frozen.std, "f4"))
    seen = g("Clip", scaled, g.constant(-CLIP, "f4"), g.constant(CLIP, "f4"))
    hidden = seen
    for k, (weight, bias) in enumerate(frozen.layers):
        hidden = g("Add", g("MatMul", hidden, g.constant(weight, "f4")), g.constant(bias, "f4"))
        hidden = hidden if k == len(frozen.layers) - 1 else g("Tanh", hidden)
    outputs = g("Add", hidden, g("MatMul", seen, g.constant(frozen.skip, "f4")))
    quotes = _in_market_units(frozen, g, outputs)
    graph = helper.make_graph(
        [*g.nodes, helper.make_node("Identity", [quotes], [OUTPUT])],
        "policy",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["N", len(frozen.columns)])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.DOUBLE, ["N", len(frozen.axes)])],
        g.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="mmrl")
    model.ir_version = 8  # of this operator set, so that older runtimes take it
    about = json.loads(str(frozen.arrays()["about"]))
    helper.set_model_props(
        model, {name: json.dumps(about[name]) for name in ("run", "epoch", "market", "columns", "axes")}
    )
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def _in_market_units(frozen: Frozen, g: _Graph, outputs: str) -> str:
    """The quotes of the network's outputs: centre and scale or grid, skew, then as the market takes them."""
    from onnx import TensorProto

    def column(role: str) -> str:
        at = frozen.column_of(role)
        assert at is not None
        picked = g("Gather", INPUT, g.constant([at], "i8"), axis=1)
        return g("Cast", picked, to=TensorProto.DOUBLE)

    gaussian = frozen.kind == "gaussian"
    if gaussian:
        wide = g("Cast", outputs, to=TensorProto.DOUBLE)
        spread = g("Mul", wide, g.constant([axis.scale for axis in frozen.axes], "f8"))
        quotes = g("Add", spread, g.constant([axis.centre for axis in frozen.axes], "f8"))
    else:
        parts, start = [], 0
        for axis in frozen.axes:
            end = start + len(axis.grid)
            ends = [g.constant([start], "i8"), g.constant([end], "i8"), g.constant([1], "i8")]
            choice = g("ArgMax", g("Slice", outputs, *ends), axis=1, keepdims=1)
            parts.append(g("Gather", g.constant(axis.grid, "f8"), choice, axis=0))
            start = end
        quotes = g("Concat", *parts, axis=1)
    skew = [axis.skew if gaussian else axis.grid_skew for axis in frozen.axes]
    if any(skew):
        held = column("inventory")
        if frozen.fading:
            held = g("Mul", held, g("Tanh", g("Div", column("time left"), g.constant(frozen.fading, "f8"))))
        quotes = g("Add", quotes, g("Mul", held, g.constant([skew], "f8")))
    if any(axis.whole for axis in frozen.axes):
        whole = g.constant([[axis.whole for axis in frozen.axes]], "?")
        quotes = g("Where", whole, g("Round", quotes), quotes)
    low = np.maximum([axis.low for axis in frozen.axes], np.finfo("f8").min)
    return g("Max", quotes, g.constant([low], "f8"))


def read(path: Path) -> Callable[[npt.NDArray[np.float32]], npt.NDArray[np.float64]]:
    """The model as a function of observations: in onnxruntime where that is installed, else in onnx's own reference."""
    try:
        import onnxruntime
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        evaluator: Any = ReferenceEvaluator(str(path))
        return lambda raw: np.asarray(evaluator.run(None, {INPUT: raw})[0])
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return lambda raw: np.asarray(session.run(None, {INPUT: raw})[0])
