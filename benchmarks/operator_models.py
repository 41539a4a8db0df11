"""One-node models for probe_operators.py: the onnx package's own test cases, and variations of them.

What to vary comes from the operators' schemas, those of onnx and those that ONNX Runtime adds.
"""

from __future__ import annotations

import functools
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
from onnx import TensorProto, TypeProto, helper

LARGEST_MODEL_BYTES = 200_000
OLDEST_OPSET = 9
REVISED_CASES = 6
ATTRIBUTES = {
    "K": 32, "N": 8, "bits": 4, "block_size": 32, "num_heads": 2, "kv_num_heads": 2, "q_num_heads": 2, "to": 1,
    "axes": [0], "kernel_shape": [2, 2], "activation": 0, "opset": 13, "mrope_section": [1, 1, 1], "groups": 1,
}  # fmt: skip
TEXT_ATTRIBUTES = {("MatMulNBitsMlp", "activation"): "silu", ("FusedMatMulActivation", "activation"): "Relu"}
PREFERRED_TYPES = (
    ("float", "int32", "uint8", "int64"),
    ("uint8", "float", "int32"),
    ("int8", "float"),
    ("float16", "uint8"),
)
# By their names in schemas: float, double, int64, float8e4m3fn, ...
DTYPES = {name.lower(): number for name, number in TensorProto.DataType.items() if number != TensorProto.UNDEFINED}


@dataclass(frozen=True)
class Schema:
    """An operator's type parameters: of its inputs and outputs in order, and the dtypes that each may be."""

    domain: str
    name: str
    since: int
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    allowed: dict[str, frozenset[str]]
    deprecated: bool = False
    required: tuple[tuple[str, str], ...] = ()
    least_inputs: int = 0
    least_outputs: int = 1

    @property
    def key(self) -> str:
        """Its name in the table."""
        return f"{self.domain or 'ai.onnx'}::{self.name}"

    def spell(self) -> str:
        """Type parameters as the table has them: `T T2* > T`, a star on what repeats."""
        return " ".join((*self.inputs, ">", *self.outputs))


@dataclass(frozen=True)
class Probe:
    """One model to load; `kind` says what it tells about: version, or a type parameter and its dtype."""

    schema: Schema
    model: onnx.ModelProto
    kind: tuple[str, str] = ("", "")


# --- schemas --------------------------------------------------------------------------------------------------


def _read_schema(schema: Any) -> Schema:
    """Read the same from onnx's schemas and from ONNX Runtime's, which spell it differently."""

    def spell(parameter: Any) -> str:
        text = str(getattr(parameter, "type_str", None) or parameter.typeStr).replace(" ", "")
        if not str(parameter.option).upper().endswith("VARIADIC"):
            return text
        is_homogeneous = getattr(parameter, "is_homogeneous", None) or getattr(parameter, "isHomogeneous", False)
        return text + "*" if is_homogeneous else "any*"

    allowed = {
        constraint.type_param_str: frozenset(
            match[1] for text in constraint.allowed_type_strs if (match := re.search(r"tensor\((\w+)\)", text))
        )
        for constraint in schema.type_constraints
    }
    required = tuple(
        (name, str(entry.type).rpartition(".")[2]) for name, entry in schema.attributes.items() if entry.required
    )
    return Schema(
        domain="" if schema.domain == "ai.onnx" else schema.domain,
        name=schema.name,
        since=schema.since_version,
        inputs=tuple(spell(entry) for entry in schema.inputs),
        outputs=tuple(spell(entry) for entry in schema.outputs),
        allowed=allowed,
        deprecated=schema.deprecated,
        required=required,
        least_inputs=schema.min_input,
        least_outputs=max(1, schema.min_output),
    )


@functools.cache
def find_schema(domain: str, name: str, opset: int) -> Schema | None:
    """The schema of an ONNX operator in that opset, or None."""
    try:
        return _read_schema(onnx.defs.get_schema(name, opset, "" if domain == "ai.onnx" else domain))
    except onnx.defs.SchemaError:
        return None


def read_added_schemas() -> list[Schema]:
    """The operators that ONNX Runtime adds to ONNX's own, by its native build on this machine."""
    from onnxruntime.capi import onnxruntime_pybind11_state as native

    newest: dict[tuple[str, str], Any] = {}
    for schema in native.get_all_operator_schema():
        key = (schema.domain, schema.name)
        is_added = schema.domain in ("", "ai.onnx", "com.microsoft") and not onnx.defs.has(*reversed(key))
        if is_added and (key not in newest or newest[key].since_version < schema.since_version):
            newest[key] = schema
    return [_read_schema(newest[key]) for key in sorted(newest)]


# --- models ---------------------------------------------------------------------------------------------------


def read_cases() -> Iterator[onnx.ModelProto]:
    """The onnx package's one-node test models."""
    from onnx.backend.test.loader import load_model_tests

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the cases overflow on purpose
        cases = load_model_tests(kind="node")
    for case in cases:
        if case.model is not None and len(case.model.graph.node) == 1 and case.model.ByteSize() < LARGEST_MODEL_BYTES:
            yield case.model


def make_model(schema: Schema, node: onnx.NodeProto, types: dict[str, str], opset: int) -> onnx.ModelProto:
    """A model of one node whose inputs have known dtypes and unknown shapes."""

    def value(name: str, index: int, spelled: Sequence[str]) -> onnx.ValueInfoProto:
        parameter = spelled[min(index, len(spelled) - 1)].rstrip("*")
        literal = re.search(r"tensor\((\w+)\)", parameter)
        dtype = DTYPES[literal[1] if literal else types.get(parameter, "float")]
        tensor = helper.make_tensor_type_proto(dtype, None)
        is_sequence = parameter.startswith("seq") or parameter == "S"
        return helper.make_value_info(name, helper.make_sequence_type_proto(tensor) if is_sequence else tensor)

    graph = helper.make_graph(
        [node],
        "probe",
        [value(name, index, schema.inputs) for index, name in enumerate(node.input) if name],
        [value(name, index, schema.outputs) for index, name in enumerate(node.output)],
    )
    imports = [helper.make_opsetid("", opset)] + (
        [helper.make_opsetid(schema.domain, schema.since)] if schema.domain else []
    )
    return helper.make_model(graph, opset_imports=imports, ir_version=8 if opset < 21 else 10)


def _guess_attribute(operator: str, name: str, kind: str) -> Any:
    if kind == "STRING":
        return TEXT_ATTRIBUTES.get((operator, name), "a")
    if kind in ("STRINGS", "FLOATS", "INTS"):
        return ATTRIBUTES.get(name, {"STRINGS": ["a"], "FLOATS": [1.0], "INTS": [1]}[kind])
    return 1.0 if kind == "FLOAT" else ATTRIBUTES.get(name, 1)


def make_guesses(schema: Schema, opset: int) -> Iterator[onnx.ModelProto]:
    """Plain models of an operator that has no test case, by its schema alone."""
    if any(kind.startswith("GRAPH") for _, kind in schema.required):
        return
    attributes = {name: _guess_attribute(schema.name, name, kind) for name, kind in schema.required}
    for preferred in PREFERRED_TYPES:
        types = {
            name: next((t for t in preferred if t in dtypes), min(dtypes, default="float"))
            for name, dtypes in schema.allowed.items()
        }
        if not all(dtype in DTYPES for dtype in types.values()):
            continue
        for count in dict.fromkeys((schema.least_inputs or min(1, len(schema.inputs)), len(schema.inputs))):
            inputs = [f"i{index}" for index in range(count)]
            for output_count in dict.fromkeys((schema.least_outputs, len(schema.outputs))):
                outputs = [f"o{index}" for index in range(output_count)]
                node = helper.make_node(schema.name, inputs, outputs, domain=schema.domain, **attributes)
                yield make_model(schema, node, types, opset)


def move_opset(model: onnx.ModelProto, domain: str, opset: int) -> onnx.ModelProto:
    """A copy of the model that imports another version of `domain`, and an IR version old enough for all."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.ir_version = min(copy.ir_version, 10)
    for entry in copy.opset_import:
        if (entry.domain or "ai.onnx") == (domain or "ai.onnx"):
            entry.version = opset
    return copy


def read_opset(model: onnx.ModelProto, domain: str) -> int:
    """The version of `domain` that the model imports."""
    return next(entry.version for entry in model.opset_import if (entry.domain or "ai.onnx") == (domain or "ai.onnx"))


def _innermost(type_: TypeProto) -> TypeProto.Tensor | None:
    kind = type_.WhichOneof("value")
    if kind in ("sequence_type", "optional_type"):
        return _innermost(getattr(type_, kind).elem_type)
    return type_.tensor_type if kind == "tensor_type" else None


def bind_types(schema: Schema, model: onnx.ModelProto) -> dict[str, str]:
    """The dtype of each type parameter in a one-node model."""
    node, names = model.graph.node[0], {number: name for name, number in DTYPES.items()}
    values = {value.name: _innermost(value.type) for value in (*model.graph.input, *model.graph.output)}
    bound: dict[str, str] = {}
    for names_used, spelled in ((node.input, schema.inputs), (node.output, schema.outputs)):
        for index, name in enumerate(names_used):
            tensor = values.get(name)
            parameter = spelled[min(index, len(spelled) - 1)].rstrip("*") if spelled else ""
            if tensor is not None and parameter in schema.allowed and tensor.elem_type in names:
                bound[parameter] = names[tensor.elem_type]
    return bound


def change_type(schema: Schema, model: onnx.ModelProto, parameter: str, dtype: str) -> onnx.ModelProto:
    """A copy of a one-node model with one type parameter changed, in its values and in attributes that name it."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    node, number = copy.graph.node[0], DTYPES[dtype]
    values = {value.name: value for value in (*copy.graph.input, *copy.graph.output)}
    for names_used, spelled in ((node.input, schema.inputs), (node.output, schema.outputs)):
        for index, name in enumerate(names_used):
            if name in values and spelled[min(index, len(spelled) - 1)].rstrip("*") == parameter:
                tensor = _innermost(values[name].type)
                if tensor is not None:
                    tensor.elem_type = number
    if parameter not in {spelled.rstrip("*") for spelled in schema.inputs}:
        _change_attribute(node, number)
    return copy


def _change_attribute(node: onnx.NodeProto, number: int) -> None:
    known = {"Cast": "to", "EyeLike": "dtype", "Bernoulli": "dtype", "Multinomial": "dtype", "SequenceEmpty": "dtype"}
    named = {attribute.name: attribute for attribute in node.attribute}
    for name in ("to", "dtype", "output_dtype"):
        if name in named:
            named[name].i = number
            return
    if "value" in named and node.op_type == "ConstantOfShape":
        named["value"].t.CopyFrom(TensorProto(data_type=number, dims=[1], raw_data=bytes(8)[: _item_bytes(number)]))
    elif node.op_type in known or node.op_type.startswith("Random"):
        node.attribute.append(helper.make_attribute(known.get(node.op_type, "dtype"), number))


def _item_bytes(number: int) -> int:
    return 0 if number == TensorProto.STRING else helper.tensor_dtype_to_np_dtype(number).itemsize


# --- probes ---------------------------------------------------------------------------------------------------


def list_versions(domain: str, name: str, newest: int) -> list[int]:
    """The opsets that made or revised the operator, from OLDEST_OPSET on (or what it was then) up to `newest`."""
    first = OLDEST_OPSET if domain in ("", "ai.onnx") else 1
    schemas = [find_schema(domain, name, version) for version in range(min(first, newest), newest + 1)]
    return sorted({schema.since for schema in schemas if schema and not schema.deprecated})


def make_base_probes(opsets: dict[str, int]) -> list[Probe]:
    """Every test case at the opset that made its operator what the case needs, some at every opset, and guesses."""
    probes: list[Probe] = []
    seen: Counter[str] = Counter()
    for model in read_cases():
        node = model.graph.node[0]
        newest, own = opsets.get(node.domain or "ai.onnx", 1), read_opset(model, node.domain)
        versions = list_versions(node.domain, node.op_type, newest)
        if seen[node.op_type] >= REVISED_CASES:
            versions = [version for version in versions if version <= own][-1:]
        seen[node.op_type] += 1
        for version in versions:
            schema = find_schema(node.domain, node.op_type, version)
            if schema is not None:
                opset = max(version, OLDEST_OPSET) if not node.domain else version
                moved = move_opset(model, node.domain, opset)
                copies = [moved, *make_plain_copies(schema, moved), *make_inner_copies(schema, moved)]
                probes += [Probe(schema, copy, ("version", str(version))) for copy in copies]
    return probes + make_other_probes(opsets, {probe.schema.key for probe in probes})


def make_plain_copies(schema: Schema, model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    """The same in float, where the case has a dtype that few kernels take: it shall not speak for the version."""
    if has_subgraph(model):
        return
    for parameter, dtype in bind_types(schema, model).items():
        if dtype in ("double", "int16", "uint16", "string") and "float" in schema.allowed[parameter]:
            model = change_type(schema, model, parameter, "float")
            yield model


def make_inner_copies(schema: Schema, model: onnx.ModelProto) -> Iterator[onnx.ModelProto]:
    """Dropout inside a graph, where ONNX Runtime removes it; one that makes an output of the graph it cannot."""
    if schema.name != "Dropout" or len(model.graph.output) > 1:
        return
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    output = copy.graph.output[0].name
    copy.graph.node[0].output[0] = "inner"
    copy.graph.node.append(helper.make_node("Neg", ["inner"], [output]))
    yield copy


def make_other_probes(opsets: dict[str, int], covered: set[str]) -> list[Probe]:
    """Guesses for the operators without a test case, ONNX's at every opset that revised them."""
    guessed = [(schema, opsets["ai.onnx"]) for schema in read_added_schemas()]
    for domain, newest in opsets.items():
        for name in list_operators(domain):
            for version in list_versions(domain, name, newest):
                schema = find_schema(domain, name, version)
                if schema is not None and schema.key not in covered:
                    guessed.append((schema, max(version, OLDEST_OPSET) if domain == "ai.onnx" else opsets["ai.onnx"]))
    return [
        Probe(schema, model, ("version", str(schema.since)))
        for schema, opset in guessed
        for model in make_guesses(schema, opset)
    ]


def list_operators(domain: str) -> list[str]:
    """Every operator name that onnx knows in `domain`."""
    domain = "" if domain == "ai.onnx" else domain
    return sorted({schema.name for schema in onnx.defs.get_all_schemas() if schema.domain == domain})


def has_subgraph(model: onnx.ModelProto) -> bool:
    """Whether the model's node carries a graph: If, Loop, Scan, ..."""
    return any(attribute.HasField("g") for attribute in model.graph.node[0].attribute)


def make_type_probes(base: Probe) -> Iterator[Probe]:
    """Copies of a model that loads, with one type parameter changed at a time."""
    if has_subgraph(base.model):
        return
    bound = bind_types(base.schema, base.model)
    for parameter in bound:
        for dtype in sorted(base.schema.allowed[parameter] & set(DTYPES)):
            yield Probe(base.schema, change_type(base.schema, base.model, parameter, dtype), (parameter, dtype))
