from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from webgpu_kit.artifacts import Source
from webgpu_kit.errors import ExportError
from webgpu_kit.export import decide_task, export_graph, from_torch
from webgpu_kit.interface import read_interface
from webgpu_kit.recipe import Recipe

WriteOnnx = Callable[..., Path]


def silent(line: str) -> None:
    pass


def take(path: Path, **values: Any) -> Any:
    source = Source(uri=str(path), revision="", sha256="", kind="onnx", path=path)
    return export_graph(source, Recipe(name="test", source=str(path), **values), silent)


def test_an_onnx_file_is_taken_with_its_own_answers(write_onnx: WriteOnnx) -> None:
    graph = take(write_onnx("(float[n, 4] x, int64[n] k) => (float[n, 4] y, int64[n] m) { y = Relu(x) m = Neg(k) }"))
    assert [spec.name for spec in graph.interface.inputs] == ["x", "k"]
    assert graph.interface.inputs[0].shape == ["n", 4]
    assert len(graph.golden.samples) >= 8 and "onnxruntime" in graph.golden.origin
    for sample in graph.golden.samples:
        np.testing.assert_array_equal(sample.outputs["y"], np.maximum(sample.feeds["x"], 0))
        np.testing.assert_array_equal(sample.outputs["m"], -sample.feeds["k"])


def test_weights_listed_as_inputs_are_not_inputs(write_onnx: WriteOnnx) -> None:
    path = write_onnx("(float[2] x, float[2] w) => (float[2] y) { y = Mul(x, w) }")
    model = onnx.load(path)
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [2], [1.0, 2.0]))
    assert [spec.name for spec in read_interface(model).inputs] == ["x"]


def test_unnamed_dimensions_get_a_name(write_onnx: WriteOnnx) -> None:
    path = write_onnx("(float[?, 3] x) => (float[?, 3] y) { y = Relu(x) }")
    assert read_interface(onnx.load(path)).inputs[0].shape == ["x_0", 3]


def test_an_optional_tensor_is_read_as_its_tensor() -> None:
    kind = helper.make_optional_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [2]))
    value = helper.make_value_info("x", kind)
    graph = helper.make_graph([], "g", [value], [])
    assert read_interface(helper.make_model(graph)).inputs[0].dtype == "float32"


def test_sequences_are_refused_by_name() -> None:
    kind = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [2]))
    graph = helper.make_graph([], "g", [helper.make_value_info("boxes", kind)], [])
    with pytest.raises(ExportError, match="'boxes' is a sequence, not a tensor"):
        read_interface(helper.make_model(graph))


def test_a_default_shape_that_fails_names_the_open_inputs(write_onnx: WriteOnnx) -> None:
    path = write_onnx("(float[n, m] x) => (float[n, 2, 3] y) <int64[3] s = {-1, 2, 3}> { y = Reshape(x, s) }")
    with pytest.raises(ExportError, match=r"fails on a sample input \(x \[1, 16\]\)") as caught:
        take(path)
    assert "--shape x=n,m" in caught.value.fix
    assert take(path, shapes={"x": [1, 6]}).golden.samples[0].outputs["y"].shape == (1, 2, 3)


def test_the_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(from_torch, "PACKAGES", ("torch_that_is_not_there", "onnx"))
    source = Source(uri="m", revision="", sha256="", kind="folder", path=tmp_path)
    with pytest.raises(ExportError, match="torch_that_is_not_there, not installed") as caught:
        export_graph(source, Recipe(name="m", source="m", task="feature-extraction"), silent)
    assert "webgpu-kit[export]" in caught.value.fix


class TestTorch:
    def test_a_module_with_sample_inputs(self) -> None:
        import torch

        class Net(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.layer = torch.nn.Linear(40, 30)

            def forward(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
                return torch.tanh(self.layer(x)) * scale

        torch.manual_seed(0)
        net = Net().eval()
        example = {"x": torch.randn(2, 40), "scale": torch.tensor([2.0])}
        source = Source(uri="module:Net", revision="", sha256="", kind="module", path=Path(), module=(net, example))
        graph = export_graph(source, Recipe(name="net", source="module:Net"), silent)
        sample = graph.golden.samples[0]
        with torch.no_grad():
            expected = net(torch.from_numpy(sample.feeds["x"]), torch.from_numpy(sample.feeds["scale"])).numpy()
        np.testing.assert_allclose(next(iter(sample.outputs.values())), expected)
        assert graph.exporter.startswith("torch") and "torch" in graph.golden.origin

    def test_an_image_classifier_folder(self, tmp_path: Path) -> None:
        import torch
        from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessorPil

        torch.manual_seed(0)
        config = ViTConfig(
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            image_size=32,
            patch_size=8,
        )
        config.num_labels = 3
        ViTForImageClassification(config).save_pretrained(tmp_path)
        ViTImageProcessorPil(size={"height": 32, "width": 32}).save_pretrained(tmp_path)
        source = Source(uri=str(tmp_path), revision="", sha256="", kind="folder", path=tmp_path)
        wanted = Recipe(name="vit", source=str(tmp_path))
        assert decide_task(source, wanted).name == "image-classification"
        graph = export_graph(source, wanted, silent)
        assert graph.settings["labels"] == ["LABEL_0", "LABEL_1", "LABEL_2"]
        assert graph.settings["preprocess"]["mean"] == [0.5, 0.5, 0.5]
        assert graph.golden.samples[0].outputs["probabilities"].shape == (1, 3)

    def test_a_folder_that_transformers_cannot_load(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text('{"model_type": "nonsense"}')
        source = Source(uri="m", revision="", sha256="", kind="folder", path=tmp_path)
        with pytest.raises(ExportError, match="transformers cannot load the model"):
            export_graph(source, Recipe(name="m", source="m", task="feature-extraction"), silent)
        with pytest.raises(ExportError, match="names no architecture"):
            decide_task(source, Recipe(name="m", source="m"))

    def test_code_of_the_models_own_is_never_run(self, tmp_path: Path) -> None:
        (tmp_path / "config.json").write_text(
            '{"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModel": "mine.Model"}}'
        )
        (tmp_path / "mine.py").write_text("raise SystemExit('ran')\n")
        source = Source(uri="m", revision="", sha256="", kind="folder", path=tmp_path)
        with pytest.raises(ExportError, match="code that comes with a model is never run"):
            export_graph(source, Recipe(name="m", source="m", task="feature-extraction"), silent)
        assert "mine" not in sys.modules
