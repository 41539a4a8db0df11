"""How far a variant's answers are from the golden. Every metric is an error: smaller is better.

The page measures the same in `site_templates/kit/parity.js`; a test holds the two together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from webgpu_kit.artifacts import Array, Tensors
from webgpu_kit.manifest import Parity

REST_FLOOR = 1e-9  # a probability of nothing at all would make the divergence infinite


def probability_error(expected: Array, actual: Array) -> float:
    """The largest difference between two probabilities, 0 to 1. Shapes: any, equal."""
    return float(np.max(np.abs(expected - actual), initial=0.0))


def score_error(expected: Array, actual: Array) -> float:
    """The largest difference between two scores, as a share of the expected scores' spread where that is above 1.

    Shapes: any, equal. So scores without bounds (a ranking's) and those between -1 and 1 have one scale.
    """
    spread = float(np.max(expected) - np.min(expected)) if expected.size else 0.0
    return probability_error(expected, actual) / max(spread, 1.0)


def cosine_distance(expected: Array, actual: Array) -> float:
    """The largest 1 - cosine over rows, 0 to 2. Shapes: (rows, dimensions)."""
    lengths = np.linalg.norm(expected, axis=-1) * np.linalg.norm(actual, axis=-1)
    cosine = np.sum(expected * actual, axis=-1) / np.maximum(lengths, 1e-12)
    return float(max(np.max(1.0 - cosine, initial=0.0), 0.0))


def relative_error(expected: Array, actual: Array) -> float:
    """Root mean square of the difference over that of the expected values; for integers the share of unequal ones."""
    if expected.size == 0:
        return 0.0
    if not np.issubdtype(expected.dtype, np.floating):
        return float(np.mean(expected != actual))
    size = math.sqrt(float(np.mean(np.square(expected))))
    return math.sqrt(float(np.mean(np.square(expected - actual)))) / max(size, 1e-6)


def kl_divergence(expected: Array, actual: Array) -> float:
    """The mean Kullback-Leibler divergence in nats. Shapes: log-probabilities (positions, asked tokens), both.

    All tokens that were not asked for are one more bucket, with what is left of the probability, at least REST_FLOOR.
    """
    likely, guessed = np.exp(expected), np.exp(actual)
    rest = np.maximum(1.0 - likely.sum(axis=-1), REST_FLOOR)
    guessed_rest = np.maximum(1.0 - guessed.sum(axis=-1), REST_FLOOR)
    divergence = np.sum(likely * (expected - actual), axis=-1) + rest * np.log(rest / guessed_rest)
    return max(float(np.mean(divergence)), 0.0) if divergence.size else 0.0


@dataclass(frozen=True)
class TextQuality:
    """How a model predicts a text, beside the original: means over `positions` tokens.

    `kl_divergence` is in nats over the whole vocabulary, `top1_agreement` the share of positions with the same
    likeliest token, `perplexity_ratio` the model's perplexity over the original's.
    """

    positions: int
    kl_divergence: float
    top1_agreement: float
    perplexity_ratio: float


def compare_predictions(windows: Iterable[tuple[Array, Array, Array]]) -> TextQuality:
    """Compare predictions window by window.

    Each is (expected log-probabilities, actual log-probabilities, token ids): (positions, vocabulary) twice, and
    (positions,). The next token of a window's last position is not known, so the perplexity leaves it out.
    """
    positions = followed = 0
    divergence = agreed = surprise = 0.0
    for expected, actual, ids in windows:
        difference = expected - actual
        divergence += float(np.einsum("ij,ij->", np.exp(expected), difference, dtype=np.float64))
        agreed += int(np.sum(expected.argmax(axis=-1) == actual.argmax(axis=-1)))
        surprise += float(np.sum(difference[np.arange(len(ids) - 1), ids[1:]], dtype=np.float64))
        positions, followed = positions + len(ids), followed + len(ids) - 1
    if not math.isfinite(divergence) or not positions:
        return TextQuality(positions, math.inf, 0.0, math.inf)
    return TextQuality(
        positions=positions,
        kl_divergence=max(divergence / positions, 0.0),
        top1_agreement=agreed / positions,
        perplexity_ratio=math.exp(min(surprise / max(followed, 1), 700.0)),
    )


def log_softmax(logits: Array) -> Array:
    """Log-probabilities of logits, along the last axis."""
    shifted: Array = logits - logits.max(axis=-1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


METRICS: dict[str, Callable[[Array, Array], float]] = {
    "probability_error": probability_error,
    "score_error": score_error,
    "cosine_distance": cosine_distance,
    "relative_error": relative_error,
    "kl_divergence": kl_divergence,
}
# Where a metric is for some outputs only: the others are for people to read.
COMPARED: dict[str, tuple[str, ...]] = {"kl_divergence": ("top_logprobs",)}


def measure_parity(metric: str, expected: Sequence[Tensors], actual: Sequence[Tensors], threshold: float) -> Parity:
    """Compare samples of named outputs; the worst output of the worst sample counts.

    A missing output, another shape or dtype kind, or a value that is not finite where the expected one is, counts
    as an infinite error.
    """
    value, max_abs_error = 0.0, 0.0
    if len(expected) != len(actual):
        value = max_abs_error = math.inf
    for expected_outputs, actual_outputs in zip(expected, actual, strict=False):
        for name in COMPARED.get(metric, tuple(expected_outputs)):
            error, difference = _compare(METRICS[metric], expected_outputs.get(name), actual_outputs.get(name))
            value, max_abs_error = max(value, error), max(max_abs_error, difference)
    return Parity(metric=metric, value=value, threshold=threshold, max_abs_error=max_abs_error)


def _compare(metric: Callable[[Array, Array], float], wanted: Array | None, given: Array | None) -> tuple[float, float]:
    if wanted is None or given is None or wanted.shape != given.shape:
        return math.inf, math.inf
    if np.issubdtype(wanted.dtype, np.floating):
        wide, narrow = wanted.astype(np.float64), given.astype(np.float64)
        finite = np.isfinite(wide)
        same_elsewhere = np.array_equal(wide[~finite], narrow[~finite], equal_nan=True)
        if not same_elsewhere or not np.all(np.isfinite(narrow[finite])):
            return math.inf, math.inf
        wide, narrow = np.where(finite, wide, 0.0), np.where(finite, narrow, 0.0)
        return metric(wide, narrow), float(np.max(np.abs(wide - narrow), initial=0.0))
    unequal = relative_error(wanted, given)
    difference = np.abs(wanted.astype(np.float64) - given.astype(np.float64))
    return unequal, float(np.max(difference, initial=0.0))
