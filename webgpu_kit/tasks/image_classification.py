"""image-classification: RGBA pixels of any size in, probabilities out; all arithmetic is in the graph."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from webgpu_kit.artifacts import Array, Source, Tensors
from webgpu_kit.errors import ExportError, RecipeError
from webgpu_kit.manifest import Interface, TensorSpec
from webgpu_kit.recipe import Preprocess, Recipe
from webgpu_kit.tasks import image_graph
from webgpu_kit.tasks.task import LOAD, Original, Task, TorchModel

if TYPE_CHECKING:
    import onnx
    from PIL.Image import Image

PHOTOS = Path(__file__).parent / "photos"
LONGEST_GOLDEN_SIDE = 96  # keeps the golden small; the graph resizes it up to what the model takes


def _load(source: Source, recipe: Recipe) -> TorchModel:
    """An image classifier from a Hugging Face folder, with the preprocessing of its preprocessor_config.json."""
    import torch
    from transformers import AutoModelForImageClassification

    model = AutoModelForImageClassification.from_pretrained(source.path, **LOAD).eval()
    preprocess = recipe.preprocess if recipe.preprocess.size else _read_preprocess(source.path, recipe)
    assert preprocess.size is not None
    height, width = preprocess.size

    class Classifier(torch.nn.Module):  # type: ignore[misc]  # mypy does not read torch
        def __init__(self) -> None:
            super().__init__()
            self.model, self.config = model, model.config

        def forward(self, pixel_values: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"probabilities": self.model(pixel_values=pixel_values).logits.softmax(-1)}

    labels = _read_labels(recipe) or [model.config.id2label[index] for index in range(model.config.num_labels)]
    preprocess = preprocess.model_copy(update={"layout": "NCHW"})
    return TorchModel(
        module=Classifier().eval(),
        example={"pixel_values": torch.zeros(1, 3, height, width)},
        dynamic_shapes={"pixel_values": {}},
        settings={
            "labels": labels,
            "preprocess": preprocess.model_dump(mode="json"),
            "input": "pixel_values",
            "softmax": False,
        },
    )


def _read_preprocess(folder: Path, recipe: Recipe) -> Preprocess:
    path = folder / "preprocessor_config.json"
    if not path.is_file():
        raise ExportError(
            f"{recipe.source}: no preprocessor_config.json, so the image size is unknown.",
            fix="give [preprocess] size, mean and std in a recipe",
        )
    config = json.loads(path.read_text(encoding="utf-8"))
    side, crop = config.get("size", 224), config.get("crop_size")
    height, width = _read_size(crop if config.get("do_center_crop") and crop else side)
    fraction = 1.0
    if config.get("do_center_crop") and isinstance(side, dict) and "shortest_edge" in side:
        fraction = min(height / side["shortest_edge"], 1.0)
    normalize = config.get("do_normalize", True)
    return Preprocess(
        size=(height, width),
        crop="center" if config.get("do_center_crop") else "none",
        crop_fraction=fraction,
        scale=config.get("rescale_factor", 1 / 255),
        mean=config["image_mean"] if normalize else [0.0],
        std=config["image_std"] if normalize else [1.0],
    )


def _read_size(size: Any) -> tuple[int, int]:
    if isinstance(size, dict):
        return (size["height"], size["width"]) if "height" in size else (size["shortest_edge"],) * 2
    return (size, size)


def _read_labels(recipe: Recipe) -> list[str] | None:
    if recipe.labels_file is None:
        return recipe.labels
    path = recipe.folder / recipe.labels_file
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"{path}: labels cannot be read: {error}.",
            fix="give a UTF-8 text file with one label a line, or a JSON list",
        ) from error
    if path.suffix == ".json":
        return _read_json_labels(text, path)
    return text.rstrip("\n").split("\n") if text.strip() else []


def _read_json_labels(text: str, path: Path) -> list[str]:
    try:
        labels = json.loads(text)
    except json.JSONDecodeError as error:
        raise RecipeError(
            f"{path}: not valid JSON: {error}.", fix="give a JSON list of labels, or text with one label a line"
        ) from error
    if isinstance(labels, dict):
        labels = [labels[key] for key in sorted(labels, key=int)]
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise RecipeError(
            f"{path}: labels are not a list of strings.",
            fix="give a JSON list of labels, or text with one label a line",
        )
    return labels


def _describe(interface: Interface, recipe: Recipe) -> dict[str, Any]:
    """Settle size, layout and labels for a plain classifier `.onnx` file. Raises RecipeError."""
    if len(interface.inputs) != 1 or len(interface.inputs[0].shape) != 4:
        shapes = ", ".join(f"{spec.name} {spec.shape}" for spec in interface.inputs)
        raise RecipeError(
            f"{recipe.where}: image-classification takes one input of four dimensions, this model has {shapes}.",
            fix="use --task tensor",
        )
    spec, classes = interface.inputs[0], interface.outputs[0].shape[-1]
    preprocess = _settle_preprocess(spec, recipe)
    labels = _read_labels(recipe)
    if labels is None:
        raise RecipeError(
            f"{recipe.where}: image-classification needs labels, one for each of the {classes} classes.",
            fix="--labels FILE, one label a line",
        )
    if isinstance(classes, int) and len(labels) != classes:
        raise RecipeError(
            f"{recipe.where}: {len(labels)} labels for {classes} classes.",
            fix=f"give a labels file of exactly {classes} lines",
        )
    return {"labels": labels, "preprocess": preprocess.model_dump(mode="json"), "input": spec.name}


def _settle_preprocess(spec: TensorSpec, recipe: Recipe) -> Preprocess:
    preprocess, shape = recipe.preprocess, recipe.shapes.get(spec.name, spec.shape)
    channels = 1 if preprocess.channels == "gray" else 3
    layout = preprocess.layout or ("NHWC" if shape[3] == channels and shape[1] != channels else "NCHW")
    size = preprocess.size or (shape[2:4] if layout == "NCHW" else shape[1:3])
    if not all(isinstance(side, int) for side in size):
        raise RecipeError(
            f"{recipe.where}: the image size is not in the model (input '{spec.name}' is {spec.shape}).",
            fix=f"--shape {spec.name}=1,3,224,224, or [preprocess] size in a recipe",
        )
    found = shape[1] if layout == "NCHW" else shape[3]
    if isinstance(found, int) and found != channels:
        raise RecipeError(
            f"{recipe.where}: input '{spec.name}' {spec.shape} has {found} channels, "
            f"channels = {preprocess.channels!r} gives {channels}.",
            fix='set [preprocess] channels = "gray" or "rgb", or layout',
        )
    return preprocess.model_copy(update={"layout": layout, "size": (int(size[0]), int(size[1]))})


def _make_inputs(original: Original, recipe: Recipe) -> list[dict[str, Any]]:
    """Real pictures: the recipe's samples, else the bundled photos."""
    from PIL import Image

    folder = recipe.folder / recipe.page.samples if recipe.page.samples else PHOTOS
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    if len(paths) < 8:
        raise RecipeError(
            f"{folder}: {len(paths)} sample images, a golden takes at least 8.",
            fix="add PNG or JPEG files, or leave out [page] samples",
        )
    images = []
    for path in paths:
        image = Image.open(path).convert("RGBA")
        image.thumbnail((LONGEST_GOLDEN_SIDE, LONGEST_GOLDEN_SIDE))
        images.append({"image": np.asarray(image).copy()})
    return images


def _encode(sample: Mapping[str, Any], original: Original) -> Tensors:
    return {"image": sample["image"]}


def _refer(sample: Mapping[str, Any], original: Original) -> Tensors:
    """The answer by another road than the graph's: Pillow crops and resizes, numpy does the rest."""
    from PIL import Image

    preprocess = Preprocess.model_validate(original.settings["preprocess"])
    image = Image.fromarray(sample["image"]).convert("RGB")
    spec = original.interface.inputs[0]
    pixels = _preprocess_with_pillow(image, preprocess).astype(spec.dtype)
    scores = next(iter(original.run({spec.name: pixels}).values())).astype(np.float32).reshape(1, -1)
    if looks_like_probabilities(scores):
        return {"probabilities": scores}
    exponents = np.exp(scores - scores.max())
    return {"probabilities": exponents / exponents.sum()}


def looks_like_probabilities(scores: Array) -> bool:
    """Whether scores already are a distribution: none negative, sum 1."""
    return bool(np.all(scores >= 0) and abs(float(scores.sum()) - 1.0) < 1e-2)


def _preprocess_with_pillow(image: Image, preprocess: Preprocess) -> Array:
    from PIL.Image import Resampling

    assert preprocess.size is not None
    height, width = preprocess.size
    box = image_graph.crop_box(image.height, image.width, preprocess)
    if preprocess.channels == "gray":
        planes = [image.convert("F") if image.mode == "L" else _to_gray(image)]
    else:
        planes = [band.convert("F") for band in image.split()]
    if preprocess.channels == "bgr":
        planes.reverse()
    resized = np.stack([np.asarray(plane.resize((width, height), Resampling.BILINEAR, box=box)) for plane in planes])
    shape = (len(planes), 1, 1)
    mean = np.broadcast_to(np.asarray(preprocess.mean, np.float32), len(planes)).reshape(shape)
    std = np.broadcast_to(np.asarray(preprocess.std, np.float32), len(planes)).reshape(shape)
    pixels = ((resized * preprocess.scale - mean) / std)[None]
    return pixels.transpose(0, 2, 3, 1) if preprocess.layout == "NHWC" else pixels


def _to_gray(image: Image) -> Image:
    from PIL import Image as pillow

    weights = np.asarray(image_graph.GRAY_WEIGHTS, np.float32)
    return pillow.fromarray(np.asarray(image, dtype=np.float32) @ weights)


def _attach(model: onnx.ModelProto, settings: Mapping[str, Any]) -> onnx.ModelProto:
    preprocess = Preprocess.model_validate(settings["preprocess"])
    model = image_graph.attach_before(model, settings["input"], preprocess)
    return image_graph.attach_after(model, classes=len(settings["labels"]), softmax=settings["softmax"])


def _page_settings(settings: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    folder = recipe.folder / recipe.page.samples if recipe.page.samples else PHOTOS
    paths = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg"))
    samples = [{"path": f"samples/{path.name}", "label": path.stem.replace("-", " ")} for path in paths]
    return {"input": recipe.page.input, "samples": samples}


IMAGE_CLASSIFICATION = Task(
    name="image-classification",
    metric="probability_error",
    # A visitor reads probabilities in whole percents and the first label. An error of 0.05 keeps the first label
    # whenever it leads by more than ten points; fp32 and fp16 must not move what is read.
    thresholds={"fp32": 0.01, "fp16": 0.02, "q8": 0.05, "q4": 0.05, "q4f16": 0.05},
    dtypes=("q8", "fp16", "fp32"),
    load=_load,
    describe=_describe,
    make_inputs=_make_inputs,
    encode=_encode,
    refer=_refer,
    attach=_attach,
    page_settings=_page_settings,
)
