"""What every task file fills in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from webgpu_kit.artifacts import Run, Sample, Source, Tensors
from webgpu_kit.manifest import Dtype, Interface
from webgpu_kit.recipe import Recipe

if TYPE_CHECKING:
    import onnx

# For every from_pretrained: nothing is fetched, nothing is unpickled, and no code of the model's own is run.
LOAD: dict[str, Any] = {"local_files_only": True, "use_safetensors": True, "trust_remote_code": False}


@dataclass(frozen=True)
class TorchModel:
    """A loaded PyTorch model: `module` takes `example` by keyword and gives a dict of named outputs."""

    module: Any
    example: Mapping[str, Any]
    dynamic_shapes: Mapping[str, Any] | None = None
    assets: Mapping[str, bytes] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: Any = None


@dataclass(frozen=True)
class Original:
    """The model in its original framework, ready to answer: `run` maps feeds to named outputs.

    `settings` are facts that later stages and the page need (labels, preprocessing, maximum length).
    """

    run: Callable[[Tensors], Tensors]
    interface: Interface
    origin: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    tokenizer: Any = None


@dataclass(frozen=True)
class Task:
    """One task. Functions take the recipe last; none of them writes files."""

    name: str
    metric: str
    thresholds: Mapping[Dtype, float]
    dtypes: tuple[Dtype, ...]
    load: Callable[[Source, Recipe], TorchModel]
    describe: Callable[[Interface, Recipe], dict[str, Any]]  # settings of an .onnx file's interface
    make_inputs: Callable[[Original, Recipe], list[dict[str, Any]]]
    encode: Callable[[Mapping[str, Any], Original], Tensors]  # task-shaped input -> feeds of the prepared graph
    refer: Callable[[Mapping[str, Any], Original], Tensors]  # task-shaped input -> outputs of the prepared graph
    attach: Callable[[onnx.ModelProto, Mapping[str, Any]], onnx.ModelProto]
    page_settings: Callable[[Mapping[str, Any], Recipe], dict[str, Any]]
    # A sample through the prepared graph, where that takes more than one run: with the graph's settings.
    respond: Callable[[Run, Sample, Mapping[str, Any]], Tensors] = lambda run, sample, settings: run(sample.feeds)
    # Of a language model: the least share of a text's positions whose likeliest next token is the original's.
    agreements: Mapping[Dtype, float] = field(default_factory=dict)
    # Whole answers for `check` to ask the page for, of a model that talks: as JSON.
    answer: Callable[[Original, Recipe], list[dict[str, Any]]] = lambda original, recipe: []
