"""Train head.safetensors: a linear layer over MiniLM's embeddings, on the 3,000 sentences of npm's `sentiment`.

    python models/sentiment/train.py               train, measure, write head.safetensors
    python models/sentiment/train.py --evaluate    measure the committed head.safetensors on the held-out fifth

The sentences are from reviews of products, films and restaurants (UCI's Sentiment Labelled Sentences). Needs the
extra `webgpu-kit[export]`, and npm on the PATH. Takes about a minute on one CPU core.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional

from webgpu_kit.recipe import read_recipe
from webgpu_kit.source import fetch_source
from webgpu_kit.tasks.pooling import load_embedder

PACKAGE = "sentiment@5.0.2"
FILES = ("amazon", "imdb", "yelp")
HERE = Path(__file__).resolve().parent
HEAD_PATH = HERE / "head.safetensors"
SEED = 20240229
HELD_OUT_SHARE = 0.2
FOLDS = 5
WEIGHT_DECAYS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3)
BATCH = 50
REQUIRED_ACCURACY = 0.90


# --- data -----------------------------------------------------------------------------------------------------


def load_sentences() -> tuple[list[str], Tensor]:
    """Fetch the package with `npm pack`. Gives each sentence once, and labels (N,): 0 negative, 1 positive."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("train.py: npm is not on the PATH. Fix: install Node.js, which brings npm.")
    with tempfile.TemporaryDirectory() as folder:
        command = [npm, "pack", "--silent", "--ignore-scripts", PACKAGE]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.PIPE)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            rows = [row for name in FILES for row in _read_rows(archive, name)]
    # A sentence that is there twice could be on both sides of the split.
    labels = {row["text"].strip(): row["class"] for row in rows if row["class"] in (0, 1)}
    return list(labels), torch.tensor(list(labels.values()))


def _read_rows(archive: tarfile.TarFile, name: str) -> list[dict[str, object]]:
    member = archive.extractfile(f"package/test/fixtures/{name}.json")
    if member is None:
        raise SystemExit(f"train.py: {PACKAGE} has no test/fixtures/{name}.json.")
    rows: list[dict[str, object]] = json.load(member)
    return rows


def split_sentences(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Indices to train on, and the held-out fifth: a fifth of each class, always the same sentences."""
    generator = torch.Generator().manual_seed(SEED)
    train, held_out = [], []
    for label in range(2):
        indices = torch.nonzero(labels == label).flatten()
        indices = indices[torch.randperm(len(indices), generator=generator)]
        count = round(len(indices) * HELD_OUT_SHARE)
        held_out.append(indices[:count])
        train.append(indices[count:])
    return torch.cat(train), torch.cat(held_out)


def embed_sentences(sentences: list[str]) -> Tensor:
    """Embeddings (N, 384) of the recipe's own source, as the page makes them before the head."""
    recipe = read_recipe(HERE / "recipe.toml")
    source = fetch_source(recipe.source, base=recipe.folder, sha256=recipe.sha256, progress=print)
    encoder, pool, _ = load_embedder(source, recipe)
    order = sorted(range(len(sentences)), key=lambda index: len(sentences[index]))
    embeddings = torch.empty(len(sentences), encoder.model.config.hidden_size)
    for batch in torch.tensor(order).split(BATCH):
        encoded = encoder.tokenizer(
            [sentences[index] for index in batch],
            padding=True,
            truncation=True,
            max_length=encoder.max_length,
            return_tensors="pt",
        )
        with torch.no_grad():
            embeddings[batch] = pool(encoder.model(**encoded), encoded["attention_mask"])
    return embeddings


# --- the head -------------------------------------------------------------------------------------------------


def train_head(embeddings: Tensor, labels: Tensor, weight_decay: float) -> tuple[Tensor, Tensor]:
    """Logistic regression by L-BFGS, from zeros: the same weights each time. Gives weight (2, 384) and bias (2,)."""
    weight = torch.zeros(2, embeddings.shape[1], requires_grad=True)
    bias = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=300, line_search_fn="strong_wolfe")

    def measure_loss() -> Tensor:
        optimizer.zero_grad()
        loss = functional.cross_entropy(embeddings @ weight.T + bias, labels) + weight_decay * weight.square().sum()
        loss.backward()
        return loss

    optimizer.step(measure_loss)
    return weight.detach(), bias.detach()


def measure_accuracy(head: tuple[Tensor, Tensor], embeddings: Tensor, labels: Tensor) -> float:
    """The share of sentences that the head reads rightly."""
    weight, bias = head
    return ((embeddings @ weight.T + bias).argmax(1) == labels).float().mean().item()


def choose_weight_decay(embeddings: Tensor, labels: Tensor) -> float:
    """The best by cross-validation among the sentences to train on: the held-out ones have no say."""
    folds = torch.randperm(len(labels), generator=torch.Generator().manual_seed(SEED)).chunk(FOLDS)
    scores = {}
    for weight_decay in WEIGHT_DECAYS:
        accuracies = []
        for fold in folds:
            rest = torch.ones(len(labels), dtype=torch.bool)
            rest[fold] = False
            head = train_head(embeddings[rest], labels[rest], weight_decay)
            accuracies.append(measure_accuracy(head, embeddings[fold], labels[fold]))
        scores[weight_decay] = sum(accuracies) / FOLDS
        print(f"weight decay {weight_decay:g}: {100 * scores[weight_decay]:.2f} % in cross-validation")
    return max(scores, key=lambda weight_decay: scores[weight_decay])


def main() -> None:
    """Train (or only evaluate), as the command line says."""
    parser = argparse.ArgumentParser(description="Train head.safetensors, or measure it.")
    parser.add_argument("--evaluate", action="store_true", help="measure the committed head, train nothing")
    arguments = parser.parse_args()
    sentences, labels = load_sentences()
    embeddings = embed_sentences(sentences)
    train, held_out = split_sentences(labels)
    print(f"{len(train)} sentences to train on, {len(held_out)} held out")
    if not arguments.evaluate:
        weight_decay = choose_weight_decay(embeddings[train], labels[train])
        weight, bias = train_head(embeddings[train], labels[train], weight_decay)
        save_file({"weight": weight.contiguous(), "bias": bias.contiguous()}, HEAD_PATH)
    tensors = load_file(HEAD_PATH)
    accuracy = measure_accuracy((tensors["weight"], tensors["bias"]), embeddings[held_out], labels[held_out])
    print(f"held-out fifth: {100 * accuracy:.2f} %")
    if accuracy < REQUIRED_ACCURACY:
        raise SystemExit(f"train.py: {accuracy:.4f} is below the required {REQUIRED_ACCURACY}.")


if __name__ == "__main__":
    main()
