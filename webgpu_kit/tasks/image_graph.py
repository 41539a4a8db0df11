"""What stands before and after an image model in its graph, in plain ONNX operators.

Resizing is two matrix products with a triangle filter, which gives antialiased bilinear as Pillow's does, for any
image size, on every backend; ONNX's own Resize has no antialiasing kernel on WebGPU.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from webgpu_kit.artifacts import Tensors
from webgpu_kit.errors import GraphError
from webgpu_kit.recipe import Preprocess

if TYPE_CHECKING:
    import onnx

GRAY_WEIGHTS = (0.299, 0.587, 0.114)  # ITU-R BT.601, as Pillow's "L"
LOWEST_OPSET = 13
BEFORE, AFTER = "kit_before_", "kit_after_"  # node name prefixes: float16 conversion leaves BEFORE in float32


def crop_box(height: int, width: int, preprocess: Preprocess) -> tuple[float, float, float, float]:
    """The part of an image that is used: (left, top, right, bottom) in pixels, fractions allowed."""
    if preprocess.crop == "none" or preprocess.size is None:
        return 0.0, 0.0, float(width), float(height)
    ratio = min(height / preprocess.size[0], width / preprocess.size[1]) * preprocess.crop_fraction
    used_height, used_width = preprocess.size[0] * ratio, preprocess.size[1] * ratio
    top, left = max((height - used_height) / 2, 0.0), max((width - used_width) / 2, 0.0)
    return left, top, min(left + used_width, width), min(top + used_height, height)


# For each side, y and x: its length, then the weights (target, source) of a triangle filter as wide as a step, which
# is how many source pixels one target pixel spans. Every row of weights sums to 1.
_LENGTH = """
    {side}_count = Squeeze({side}_length, zero)
    {side}_float = Cast<to = 1>({side}_count)
"""

_WEIGHTS = """
    {side}_used = Mul({side}_step, {side}_target)
    {side}_unused = Sub({side}_float, {side}_used)
    {side}_start = Mul({side}_unused, half)
    {side}_range = Range(f_zero, {side}_target, f_one)
    {side}_middle = Add({side}_range, half)
    {side}_scaled = Mul({side}_middle, {side}_step)
    {side}_centre = Add({side}_scaled, {side}_start)
    {side}_column = Unsqueeze({side}_centre, one)
    {side}_index = Range(f_zero, {side}_float, f_one)
    {side}_position = Add({side}_index, half)
    {side}_distance = Sub({side}_position, {side}_column)
    {side}_absolute = Abs({side}_distance)
    {side}_support = Max({side}_step, f_one)
    {side}_share = Div({side}_absolute, {side}_support)
    {side}_rest = Sub(f_one, {side}_share)
    {side}_triangle = Relu({side}_rest)
    {side}_sum = ReduceSum<keepdims = 1>({side}_triangle, one)
    {side}_weights = Div({side}_triangle, {side}_sum)
"""

_CROP_CENTER = """
    y_ratio = Div(y_float, y_target)
    x_ratio = Div(x_float, x_target)
    ratio = Min(y_ratio, x_ratio)
    y_step = Mul(ratio, fraction)
    x_step = Identity(y_step)
"""

_CROP_NONE = """
    y_step = Div(y_float, y_target)
    x_step = Div(x_float, x_target)
"""


def _before_text(preprocess: Preprocess) -> str:
    crop = _CROP_CENTER if preprocess.crop == "center" else _CROP_NONE
    mixed = "mixed = Identity(rgb)" if preprocess.channels == "rgb" else "mixed = MatMul(rgb, mix)"
    layout = (
        "pixels = Transpose<perm = [0, 2, 3, 1]>(batch)" if preprocess.layout == "NHWC" else "pixels = Identity(batch)"
    )
    return f"""
    size = Shape(image)
    y_length = Slice(size, zero, one, zero)
    x_length = Slice(size, one, two, zero)
    {_LENGTH.format(side="y")}
    {_LENGTH.format(side="x")}
    {crop}
    {_WEIGHTS.format(side="y")}
    {_WEIGHTS.format(side="x")}
    rgba = Cast<to = 1>(image)
    rgb = Slice(rgba, zero, three, two)
    {mixed}
    planes = Transpose<perm = [2, 0, 1]>(mixed)
    rows = MatMul(y_weights, planes)
    x_turned = Transpose<perm = [1, 0]>(x_weights)
    resized = MatMul(rows, x_turned)
    scaled = Mul(resized, gain)
    normalized = Add(scaled, bias)
    batch = Unsqueeze(normalized, zero)
    {layout}
    """


def _before_constants(preprocess: Preprocess) -> Tensors:
    assert preprocess.size is not None
    count = 1 if preprocess.channels == "gray" else 3
    mean = np.broadcast_to(np.asarray(preprocess.mean, np.float32), count).reshape(count, 1, 1)
    std = np.broadcast_to(np.asarray(preprocess.std, np.float32), count).reshape(count, 1, 1)
    mix = np.asarray(GRAY_WEIGHTS, np.float32).reshape(3, 1) if count == 1 else np.eye(3, dtype=np.float32)[::-1].copy()
    integers = {"zero": [0], "one": [1], "two": [2], "three": [3]}
    floats = {"f_zero": 0.0, "f_one": 1.0, "half": 0.5, "fraction": preprocess.crop_fraction}
    return {
        **{name: np.asarray(value, np.int64) for name, value in integers.items()},
        **{name: np.float32(value).reshape(()) for name, value in floats.items()},
        "y_target": np.float32(preprocess.size[0]).reshape(()),
        "x_target": np.float32(preprocess.size[1]).reshape(()),
        "mix": mix,
        "gain": (preprocess.scale / std).astype(np.float32),
        "bias": (-mean / std).astype(np.float32),
    }


def attach_before(model: onnx.ModelProto, input_name: str, preprocess: Preprocess) -> onnx.ModelProto:
    """Put `image` (uint8, (height, width, 4), RGBA; alpha is not used) before the float input `input_name`.

    Raises GraphError when the model's opset is older than 13 and cannot be raised.
    """
    import onnx
    from onnx import numpy_helper, parser

    model = _raise_opset(model)
    wanted = next(value for value in model.graph.input if value.name == input_name).type.tensor_type.elem_type
    text = _before_text(preprocess)
    if wanted != onnx.TensorProto.FLOAT:
        text = text.replace("pixels = ", "pixels_float = ") + f"pixels = Cast<to = {wanted}>(pixels_float)\n"
    header = f'<ir_version: {model.ir_version}, opset_import: ["" : {_opset(model)}]>'
    type_name = onnx.TensorProto.DataType.Name(wanted).lower() if wanted != onnx.TensorProto.FLOAT else "float"
    before = parser.parse_model(
        f"{header} before (uint8[height, width, 4] image) => ({type_name}[n, c, h, w] pixels) {{ {text} }}"
    )
    constants = _before_constants(preprocess)
    used = {name for node in before.graph.node for name in node.input}
    before.graph.initializer.extend(
        numpy_helper.from_array(value, name) for name, value in constants.items() if name in used
    )
    return _join(before, model, {"pixels": input_name}, prefix_first=BEFORE, inputs=["image"])


def attach_after(model: onnx.ModelProto, *, classes: int, softmax: bool) -> onnx.ModelProto:
    """Put `probabilities` (float32, (1, classes)) after the first output."""
    import onnx
    from onnx import parser

    first = model.graph.output[0]
    kind = onnx.TensorProto.DataType.Name(first.type.tensor_type.elem_type).lower()
    last = "Softmax<axis = -1>(flat)" if softmax else "Identity(flat)"
    text = f"scores = Cast<to = 1>(raw)\nflat = Flatten<axis = 1>(scores)\nprobabilities = {last}"
    header = f'<ir_version: {model.ir_version}, opset_import: ["" : {_opset(model)}]>'
    after = parser.parse_model(f"{header} after ({kind}[n, c] raw) => (float[1, {classes}] probabilities) {{ {text} }}")
    del model.graph.output[1:]
    return _join(model, after, {first.name: "raw"}, prefix_second=AFTER, outputs=["probabilities"])


def _join(
    first: onnx.ModelProto,
    second: onnx.ModelProto,
    io_map: dict[str, str],
    *,
    prefix_first: str = "",
    prefix_second: str = "",
    inputs: list[str] | None = None,
    outputs: list[str] | None = None,
) -> onnx.ModelProto:
    from onnx import compose, helper

    for model, prefix in ((first, prefix_first), (second, prefix_second)):
        if prefix:
            _prefix_names(model, prefix, keep={*(inputs or ()), *(outputs or ())})
    pairs = [(prefix_first + left, prefix_second + right) for left, right in io_map.items()]
    imports = {entry.domain: entry.version for model in (first, second) for entry in model.opset_import}
    graph = compose.merge_graphs(first.graph, second.graph, io_map=pairs)
    return helper.make_model(
        graph,
        ir_version=max(first.ir_version, second.ir_version),
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in imports.items()],
        functions=[*first.functions, *second.functions],
    )


def _prefix_names(model: onnx.ModelProto, prefix: str, keep: set[str]) -> None:
    def rename(name: str) -> str:
        return name if not name or name in keep else prefix + name

    for index, node in enumerate(model.graph.node):
        node.name = f"{prefix}{index}_{node.op_type}"
        node.input[:] = [rename(name) for name in node.input]
        node.output[:] = [rename(name) for name in node.output]
    for value in (*model.graph.input, *model.graph.output, *model.graph.initializer):
        value.name = rename(value.name)


def _opset(model: onnx.ModelProto) -> int:
    return next(int(entry.version) for entry in model.opset_import if entry.domain in ("", "ai.onnx"))


def _raise_opset(model: onnx.ModelProto) -> onnx.ModelProto:
    from onnx import version_converter

    if _opset(model) >= LOWEST_OPSET:
        return model
    try:
        return version_converter.convert_version(model, LOWEST_OPSET)
    except Exception as error:  # the converter raises bare RuntimeErrors of its own
        raise GraphError(
            f"opset {_opset(model)} could not be raised to {LOWEST_OPSET}: {error}.",
            fix=f"export the model with opset {LOWEST_OPSET} or newer",
        ) from error
