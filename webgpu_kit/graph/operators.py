"""Which operators of a graph ONNX Runtime Web cannot load, by the measured table operators.json.

benchmarks/probe_operators.py makes the table. It has, for each backend, the operators of which no measured
model loads ("*"), and for the others the versions, and the dtypes of each type parameter, that do not.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

import onnx
from onnx import TensorProto, TypeProto

from webgpu_kit.manifest import Backend

_ATTRIBUTE_DTYPES = ("to", "dtype", "output_dtype")
_DTYPE_NAMES = {"float": "float32", "double": "float64"}
_Types = dict[str, str]


@dataclass(frozen=True)
class _Signature:
    """The type parameters of an operator's inputs and outputs, in order; a star marks what repeats."""

    since: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    deprecated: bool = False

    def bind(self, names: Iterable[str], spelled: tuple[str, ...], types: _Types) -> dict[str, str]:
        """The dtype of each type parameter, from the values among `names` whose dtype is known."""
        bound: dict[str, str] = {}
        for index, name in enumerate(names):
            if name in types and (index < len(spelled) or (spelled and spelled[-1].endswith("*"))):
                bound.setdefault(spelled[min(index, len(spelled) - 1)].rstrip("*"), types[name])
        return bound


def missing_operators(model: onnx.ModelProto, backend: Backend) -> list[str]:
    """Name what ONNX Runtime Web's build for `backend` lacks of what `model` uses, without repeats.

    `Name` is an operator that it lacks altogether, `Name (float64)` one that it lacks for that dtype, and
    `Name (opset 22)` one that it lacks as that opset defines it. Subgraphs and functions are looked into.
    An opset newer than the build knows is named as `opset 30 of ai.onnx (at most 26)`.
    """
    search = _Search(model, backend)
    search.check_opsets()
    search.walk_graph(model.graph, {})
    for function in model.functions:
        versions = {entry.domain or "ai.onnx": entry.version for entry in function.opset_import}
        search.walk_nodes(function.node, {}, versions)
    return list(search.found)


class _Search:
    """One walk over a model, noting what is missing."""

    def __init__(self, model: onnx.ModelProto, backend: Backend) -> None:
        table = _load_table()
        self.opsets: Mapping[str, int] = table["opsets"]
        self.missing: Mapping[str, Any] = table[f"{backend}_missing"]
        self.versions = {entry.domain or "ai.onnx": entry.version for entry in model.opset_import}
        self.functions = {(function.domain or "ai.onnx", function.name) for function in model.functions}
        self.found: dict[str, None] = {}

    def check_opsets(self) -> None:
        for domain, version in self.versions.items():
            if version > self.opsets.get(domain, version):
                self.found[f"opset {version} of {domain} (at most {self.opsets[domain]})"] = None

    def walk_graph(self, graph: onnx.GraphProto, outer: _Types) -> None:
        types = dict(outer)
        for value in (*graph.value_info, *graph.output, *graph.input):
            if dtype := _read_dtype(value.type):
                types[value.name] = dtype
        types |= {tensor.name: _name_dtype(tensor.data_type) for tensor in graph.initializer}
        self.walk_nodes(graph.node, types, self.versions)

    def walk_nodes(self, nodes: Iterable[onnx.NodeProto], types: _Types, versions: Mapping[str, int]) -> None:
        for node in nodes:
            for attribute in node.attribute:
                for graph in (*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs):
                    self.walk_graph(graph, types)
            domain = node.domain or "ai.onnx"
            if (domain, node.op_type) not in self.functions:
                self.check_node(node, domain, versions.get(domain, 1), types)

    def check_node(self, node: onnx.NodeProto, domain: str, opset: int, types: _Types) -> None:
        key = f"{domain}::{node.op_type}"
        name = node.op_type if domain == "ai.onnx" else key
        newest = self.opsets.get(domain, opset)
        signature = _find_signature(domain, node.op_type, min(opset, newest))
        entry = self.missing.get(key, {})
        if signature is None or signature.deprecated or entry == "*":
            self.found[name] = None
            return
        bound = signature.bind(node.input, signature.inputs, types)
        _add_output_types(node, signature, bound, types)
        bound |= {
            key: dtype
            for key, dtype in signature.bind(node.output, signature.outputs, types).items()
            if key not in bound
        }
        if str(signature.since) in entry.get("version", "").split():
            self.found[f"{name} (opset {signature.since})"] = None
        for parameter, dtype in bound.items():
            if dtype in entry.get(parameter, "").split():
                self.found[f"{name} ({_DTYPE_NAMES.get(dtype, dtype)})"] = None


def _add_output_types(node: onnx.NodeProto, signature: _Signature, bound: Mapping[str, str], types: _Types) -> None:
    """Note the dtypes of the node's outputs, where they follow from its inputs or attributes."""
    stated = _read_stated_dtype(node)
    for index, name in enumerate(node.output):
        if not name or name in types or not signature.outputs:
            continue
        spelled = signature.outputs[min(index, len(signature.outputs) - 1)].rstrip("*")
        literal = re.search(r"tensor\((\w+)\)", spelled)
        if dtype := literal[1] if literal else bound.get(spelled, stated):
            types[name] = dtype


def _read_stated_dtype(node: onnx.NodeProto) -> str:
    """The dtype that an attribute gives to the output, or ''."""
    for attribute in node.attribute:
        if attribute.name in _ATTRIBUTE_DTYPES and attribute.i:
            return _name_dtype(attribute.i)
        if attribute.name == "value" and attribute.HasField("t"):
            return _name_dtype(attribute.t.data_type)
    return "float" if node.op_type == "ConstantOfShape" or node.op_type in ("RandomNormal", "RandomUniform") else ""


def _read_dtype(type_: TypeProto) -> str:
    """The element dtype of a tensor, or of the tensors in a sequence or optional; '' where it is not known."""
    kind = type_.WhichOneof("value")
    if kind in ("sequence_type", "optional_type"):
        return _read_dtype(getattr(type_, kind).elem_type)
    return _name_dtype(type_.tensor_type.elem_type) if kind == "tensor_type" and type_.tensor_type.elem_type else ""


def _name_dtype(number: int) -> str:
    """The dtype as schemas write it: float, double, int64, ..."""
    try:
        return str(TensorProto.DataType.Name(number)).lower()
    except ValueError:
        return ""


@functools.cache
def _load_table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(
        resources.files("webgpu_kit.graph").joinpath("operators.json").read_text("utf-8")
    )
    return table


@functools.cache
def _find_signature(domain: str, name: str, opset: int) -> _Signature | None:
    """The operator's signature, from onnx or from what ONNX Runtime adds to it; None when neither knows it."""
    try:
        schema = onnx.defs.get_schema(name, opset, "" if domain == "ai.onnx" else domain)
    except onnx.defs.SchemaError:
        spelled = _load_table()["added"].get(f"{domain}::{name}")
        if spelled is None:
            return None
        inputs, _, outputs = spelled.partition(">")
        return _Signature(1, tuple(inputs.split()), tuple(outputs.split()))
    return _Signature(
        schema.since_version,
        tuple(_spell(parameter) for parameter in schema.inputs),
        tuple(_spell(parameter) for parameter in schema.outputs),
        schema.deprecated,
    )


def _spell(parameter: onnx.defs.OpSchema.FormalParameter) -> str:
    if parameter.option != onnx.defs.OpSchema.FormalParameterOption.Variadic:
        return parameter.type_str.replace(" ", "")
    return parameter.type_str + "*" if parameter.is_homogeneous else "any*"
