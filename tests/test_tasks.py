from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import parser
from PIL import Image

from webgpu_kit.errors import GraphError, RecipeError
from webgpu_kit.manifest import Interface, TensorSpec
from webgpu_kit.recipe import Preprocess, Recipe
from webgpu_kit.tasks import TASKS
from webgpu_kit.tasks.image_classification import PHOTOS, _preprocess_with_pillow
from webgpu_kit.tasks.image_graph import attach_before
from webgpu_kit.tasks.tensor import find_states, make_tensor, resolve_shapes


def interface(
    inputs: dict[str, tuple[str, list[int | str]]], outputs: dict[str, tuple[str, list[int | str]]]
) -> Interface:
    def specs(given: dict[str, tuple[str, list[int | str]]]) -> list[TensorSpec]:
        return [TensorSpec(name=name, dtype=dtype, shape=shape) for name, (dtype, shape) in given.items()]

    return Interface(inputs=specs(inputs), outputs=specs(outputs))


def recipe(**values: Any) -> Recipe:
    return Recipe(name="test", source="test.onnx", **values)


def test_every_task_has_a_threshold_for_every_dtype_and_a_page() -> None:
    for task in TASKS.values():
        assert set(task.thresholds) == {"fp32", "fp16", "q8", "q4", "q4f16"}
        assert set(task.dtypes) <= set(task.thresholds)
        assert (Path(__file__).parent.parent / "site_templates/pages" / task.name / "index.html.jinja").is_file()


class TestShapes:
    one = interface({"x": ("float32", ["batch", 3, "h", "w"]), "n": ("int64", ["batch", "length"])}, {})

    def test_defaults(self) -> None:
        assert resolve_shapes(self.one, recipe()) == {"x": [1, 3, 224, 224], "n": [1, 16]}

    def test_a_given_shape_binds_named_dimensions_of_other_inputs(self) -> None:
        assert resolve_shapes(self.one, recipe(shapes={"x": [2, 3, 8, 9]})) == {"x": [2, 3, 8, 9], "n": [2, 16]}

    @pytest.mark.parametrize(
        ("shapes", "message"),
        [
            ({"y": [1]}, "'y', which is no input. Inputs: x, n"),
            ({"x": [1, 4, 8, 8]}, "does not fit input 'x' of shape"),
            ({"x": [1, 3, 8]}, "does not fit input 'x'"),
            ({"x": [1, 3, 8, 8], "n": [2, 5]}, "'batch' = 2, another shape gives 1"),
        ],
    )
    def test_shapes_that_do_not_fit(self, shapes: dict[str, list[int]], message: str) -> None:
        with pytest.raises(RecipeError) as caught:
            resolve_shapes(self.one, recipe(shapes=shapes))
        assert message in str(caught.value)


def test_states_are_found_by_name_and_counterpart() -> None:
    found = find_states(
        interface(
            {
                "input": ("float32", [1, 512]),
                "state": ("float32", [2, 1, 128]),
                "h": ("float32", [2, 1, 64]),
                "sr": ("int64", []),
                "estate": ("float32", [1, 1]),
            },
            {"output": ("float32", [1, 1]), "stateN": ("float32", [2, 1, 128])},
        )
    )
    assert found == {"state", "h"}


@pytest.mark.parametrize("dtype", ["float32", "float16", "int64", "int32", "int8", "uint8", "bool"])
def test_samples_have_dtype_shape_and_seed(dtype: str) -> None:
    spec = TensorSpec(name="x", dtype=dtype, shape=[3, 4])
    first, again, other = (make_tensor(spec, [3, 4], seed, zeros=False) for seed in (0, 0, 1))
    assert first.dtype == dtype and first.shape == (3, 4)
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert not make_tensor(spec, [3, 4], 0, zeros=True).any()
    assert make_tensor(TensorSpec(name="s", dtype=dtype, shape=[]), [], 0, zeros=False).shape == ()


def test_tensor_refuses_what_a_browser_cannot_carry() -> None:
    with pytest.raises(GraphError, match="'x' is float64, which a browser cannot carry"):
        TASKS["tensor"].describe(interface({"x": ("float64", [1])}, {}), recipe())


PIXELS_MODEL = "(float[{shape}] x) => (float[{shape}] y) {{ y = Identity(x) }}"


def resize_in_graph(image: np.ndarray, preprocess: Preprocess) -> np.ndarray:
    assert preprocess.size is not None
    height, width = preprocess.size
    channels = 1 if preprocess.channels == "gray" else 3
    shape = f"1, {height}, {width}, {channels}" if preprocess.layout == "NHWC" else f"1, {channels}, {height}, {width}"
    text = '<ir_version: 9, opset_import: ["" : 18]> g ' + PIXELS_MODEL.format(shape=shape)
    model = attach_before(parser.parse_model(text), "x", preprocess)
    onnx.checker.check_model(model)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.asarray(session.run(None, {"image": image})[0])


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    crop=st.sampled_from(["none", "center"]),
    fraction=st.sampled_from([1.0, 0.875]),
    channels=st.sampled_from(["rgb", "bgr", "gray"]),
    layout=st.sampled_from(["NCHW", "NHWC"]),
)
def test_the_graph_resizes_as_pillow_does(
    height: int, width: int, size: tuple[int, int], crop: Any, fraction: float, channels: Any, layout: Any
) -> None:
    pixels = np.random.default_rng([height, width]).integers(0, 256, (height, width, 4), dtype=np.uint8)
    preprocess = Preprocess(
        size=size, crop=crop, crop_fraction=fraction, channels=channels, layout=layout, scale=1.0, mean=[7.0], std=[2.0]
    )
    image = Image.fromarray(pixels).convert("RGB")
    expected = _preprocess_with_pillow(image, preprocess)
    # Pillow's filter weights are float64 with a hard cut at the support; one grey level of 255 is 0.5 here.
    np.testing.assert_allclose(resize_in_graph(pixels, preprocess), expected, atol=0.05)


def test_a_photo_is_resized_as_pillow_does() -> None:
    image = Image.open(PHOTOS / "cat.jpg").convert("RGBA")
    preprocess = Preprocess(size=(224, 224), mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225], layout="NCHW")
    expected = _preprocess_with_pillow(image.convert("RGB"), preprocess)
    np.testing.assert_allclose(resize_in_graph(np.asarray(image), preprocess), expected, atol=1e-3)


def classifier(**values: Any) -> dict[str, Any]:
    one = interface({"x": ("float32", [1, 3, 8, 8])}, {"y": ("float32", [1, 3])})
    return TASKS["image-classification"].describe(one, recipe(**values))


class TestLabels:
    def test_labels_may_come_from_text_or_json(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("cat\ndog\nÄffchen </script> \"'\u2028\n", encoding="utf-8")
        (tmp_path / "b.json").write_text('["x", "y", "z"]')
        (tmp_path / "c.json").write_text('{"2": "z", "0": "x", "1": "y"}')
        given = [classifier(labels_file=str(tmp_path / name))["labels"] for name in ("a.txt", "b.json", "c.json")]
        assert given == [["cat", "dog", "Äffchen </script> \"'\u2028"], ["x", "y", "z"], ["x", "y", "z"]]

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            (None, "needs labels, one for each of the 3"),
            ("cat\ndog\n", "2 labels for 3 classes"),
            ("", "0 labels for 3"),
        ],
    )
    def test_missing_and_too_few(self, tmp_path: Path, content: str | None, message: str) -> None:
        path = tmp_path / "labels.txt"
        if content is not None:
            path.write_text(content)
        with pytest.raises(RecipeError, match=message):
            classifier(**({"labels_file": str(path)} if content is not None else {}))

    def test_unreadable(self, tmp_path: Path) -> None:
        with pytest.raises(RecipeError, match="labels cannot be read"):
            classifier(labels_file=str(tmp_path / "absent.txt"))
        (tmp_path / "labels.txt").write_bytes(b"\xff\xfe\x00")
        with pytest.raises(RecipeError, match="labels cannot be read"):
            classifier(labels_file=str(tmp_path / "labels.txt"))


def test_an_image_model_without_a_size_says_how_to_give_one() -> None:
    one = interface({"x": ("float32", ["n", 3, "h", "w"])}, {"y": ("float32", ["n", 2])})
    describe = TASKS["image-classification"].describe
    with pytest.raises(RecipeError, match="image size is not in the model"):
        describe(one, recipe(labels=["a", "b"]))
    settled = describe(one, recipe(labels=["a", "b"], shapes={"x": [1, 3, 32, 64]}))
    assert settled["preprocess"]["size"] == [32, 64] and settled["preprocess"]["layout"] == "NCHW"
    assert settled["input"] == "x"


def test_channels_must_fit() -> None:
    one = interface({"x": ("float32", [1, 1, 28, 28])}, {"y": ("float32", [1, 2])})
    with pytest.raises(RecipeError, match="has 1 channels, channels = 'rgb' gives 3"):
        TASKS["image-classification"].describe(one, recipe(labels=["a", "b"]))
