"""The small models that the browser tests build sites of, as ONNX files made on the spot."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, parser

from webgpu_kit.artifacts import Tensors

DTYPES = (
    "float32",
    "float16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint64",
    "uint32",
    "uint16",
    "uint8",
    "bool",
)

# Text that does harm where it is not treated as text.
NASTY_LABELS = (
    "</script><script>window.harmed = 1</script>",
    "\"red\" 'green' `blue` & &lt;b&gt; \\",
    '<img src="x" onerror="window.harmed = 1">\u2028<b>end\u2029</b>',
)


def _save(text: str, path: Path) -> onnx.ModelProto:
    model = parser.parse_model(f'<ir_version: 9, opset_import: ["" : 18]> graph {text}')
    onnx.save(model, path)
    return model


def write_weights_model(folder: Path) -> Path:
    """MatMul, Gemm, Conv and Gather, each with a weight worth quantizing; odd sizes, so that blocks are padded."""
    path = folder / "weights.onnx"
    model = _save(
        """(float[n, 200] x, int64[m] k, float[1, 3, 8, 8] p) => (float[n, 70] y, float[1, 40, 6, 6] q, float[m, 96] e)
        { h = MatMul(x, a)  y = Gemm<transB = 1>(h, b, c)  q = Conv(p, f)  e = Gather<axis = 0>(t, k) }""",
        path,
    )
    generator = np.random.default_rng(7)
    shapes = {"a": (200, 333), "b": (70, 333), "c": (70,), "f": (40, 3, 3, 3), "t": (50, 96)}
    for name, shape in shapes.items():
        value = (generator.standard_normal(shape) / np.sqrt(np.prod(shape[1:]) or 1)).astype(np.float32)
        model.graph.initializer.append(numpy_helper.from_array(value, name))
    onnx.save(model, path)
    return path


def make_weights_inputs(seed: int) -> Tensors:
    """Inputs of the weights model that no golden sample has: other sizes, other numbers."""
    generator = np.random.default_rng([99, seed])
    return {
        "x": generator.standard_normal((2 + seed, 200)).astype(np.float32),
        "k": generator.integers(0, 50, 5 + seed),
        "p": generator.standard_normal((1, 3, 8, 8)).astype(np.float32),
    }


def write_dtypes_model(folder: Path) -> Path:
    """One input and one output of every dtype: each comes out twice, one below the other."""
    inputs, outputs, nodes = [], [], []
    for dtype in DTYPES:
        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        inputs.append(helper.make_tensor_value_info(f"in_{dtype}", kind, ["n", 3]))
        outputs.append(helper.make_tensor_value_info(f"out_{dtype}", kind, ["twice_n", 3]))
        nodes.append(helper.make_node("Concat", [f"in_{dtype}"] * 2, [f"out_{dtype}"], axis=0))
    graph = helper.make_graph(nodes, "dtypes", inputs, outputs)
    path = folder / "dtypes.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def make_extremes(dtype: str) -> np.ndarray:
    """The numbers of a dtype that are lost first when something on the way is too narrow."""
    kind = np.dtype(dtype)
    if kind == np.bool_:
        return np.array([[True, False, True]])
    if kind.kind == "f":
        info = np.finfo(kind)
        rows = [[info.max, info.min, info.tiny], [np.inf, -np.inf, np.nan], [-0.0, info.smallest_subnormal, 1 / 3]]
        return np.array(rows, kind)
    limits = np.iinfo(kind)
    return np.array([[limits.max, limits.min, limits.max - 1]], kind)


def write_varied_model(folder: Path) -> Path:
    """Scalars, sizes that may be 0, several inputs and outputs, a state (h -> hn), an If at top level."""
    path = folder / "varied.onnx"
    model = _save(
        """(float[n, 3] x, float scale, bool add, float[1, 4] h)
        => (float[n, 3] scaled, float total, float[n, 3] chosen, float[1, 4] hn)
        {
            scaled = Mul(x, scale)
            total = ReduceSum<keepdims = 0>(x)
            chosen = If(add) <
                then_branch = plus () => (float[n, 3] sum) { sum = Add(x, scale) },
                else_branch = minus () => (float[n, 3] difference) { difference = Sub(x, scale) }
            >
            turned = MatMul(h, w)
            pushed = Add(turned, total)
            hn = Tanh(pushed)
        }""",
        path,
    )
    weight = np.random.default_rng(3).standard_normal((4, 4)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weight, "w"))
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def write_colours_model(folder: Path) -> Path:
    """A classifier of three classes: whether a picture is red, green or blue on the whole."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Mul", ["flat", "sharpness"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["batch", 3, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3])],
        [numpy_helper.from_array(np.float32(12), "sharpness")],
    )
    path = folder / "colours.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), path)
    return path
