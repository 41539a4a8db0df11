"""Reading an ONNX model's inputs and outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from webgpu_kit.errors import ExportError
from webgpu_kit.manifest import Interface, TensorSpec

if TYPE_CHECKING:
    import onnx


def read_interface(model: onnx.ModelProto) -> Interface:
    """Inputs without initializers, and outputs, of a model. Raises ExportError for sequences, maps and optionals."""
    weights = {initializer.name for initializer in model.graph.initializer}
    inputs = [_read_spec(value) for value in model.graph.input if value.name not in weights]
    return Interface(inputs=inputs, outputs=[_read_spec(value) for value in model.graph.output])


def _read_spec(value: onnx.ValueInfoProto) -> TensorSpec:
    import onnx

    kind = value.type.WhichOneof("value")
    if kind == "optional_type" and value.type.optional_type.elem_type.HasField("tensor_type"):
        tensor = value.type.optional_type.elem_type.tensor_type
    elif kind == "tensor_type":
        tensor = value.type.tensor_type
    else:
        raise ExportError(
            f"'{value.name}' is a {str(kind).removesuffix('_type')}, not a tensor, which a browser cannot carry.",
            fix="export the model with tensors as inputs and outputs (for scikit-learn: zipmap=False)",
        )
    dtype = onnx.TensorProto.DataType.Name(tensor.elem_type).lower()
    dtype = {"float": "float32", "double": "float64"}.get(dtype, dtype)
    return TensorSpec(
        name=value.name,
        dtype=dtype,
        shape=[_read_dimension(value.name, axis, dim) for axis, dim in enumerate(tensor.shape.dim)],
    )


def _read_dimension(name: str, axis: int, dimension: Any) -> int | str:
    if dimension.HasField("dim_value") and dimension.dim_value >= 0:
        return int(dimension.dim_value)
    return str(dimension.dim_param) or f"{name}_{axis}"
