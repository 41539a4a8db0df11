from __future__ import annotations

import math

import numpy as np
import pytest

from webgpu_kit.parity import METRICS, compare_predictions, log_softmax, measure_parity


def measure(metric: str, expected: object, actual: object) -> float:
    return measure_parity(metric, [{"y": np.asarray(expected)}], [{"y": np.asarray(actual)}], 0.1).value


def test_probability_error_is_the_largest_difference() -> None:
    assert measure("probability_error", [[0.7, 0.2, 0.1]], [[0.6, 0.35, 0.05]]) == pytest.approx(0.15)


def test_cosine_distance_is_that_of_the_worst_row() -> None:
    turned = [[1.0, 0.0], [math.cos(0.2), math.sin(0.2)]]
    assert measure("cosine_distance", [[2.0, 0.0], [1.0, 0.0]], turned) == pytest.approx(1 - math.cos(0.2))


def test_relative_error_is_relative_to_the_size_of_the_output() -> None:
    assert measure("relative_error", [3.0, -4.0], [3.3, -4.4]) == pytest.approx(0.1)
    assert measure("relative_error", [0.0, 0.0], [0.0, 1e-9]) < 0.01


def test_integers_count_unequal_elements() -> None:
    assert measure("relative_error", np.int64([1, 2, 3, 4]), np.int64([1, 2, 3, 5])) == 0.25
    assert measure("relative_error", np.array([True, False]), np.array([True, True])) == 0.5


@pytest.mark.parametrize("metric", METRICS)
def test_what_is_not_finite_never_passes(metric: str) -> None:
    good = np.float32([[0.5, 0.5]])
    assert measure(metric, good, np.float32([[np.nan, 0.5]])) == math.inf
    assert measure(metric, good, np.float32([[np.inf, 0.5]])) == math.inf
    assert measure(metric, np.float32([[np.nan, 0.5]]), good) == math.inf


def test_an_expected_nan_or_infinity_is_met_by_the_same() -> None:
    odd = np.float32([np.nan, -np.inf, 2.0])
    assert measure("relative_error", odd, odd.copy()) == 0.0


def test_missing_outputs_and_shapes_never_pass() -> None:
    values = np.zeros((1, 2), np.float32)
    assert measure("relative_error", values, np.zeros((2, 1), np.float32)) == math.inf
    assert measure_parity("relative_error", [{"y": values}], [{}], 1.0).value == math.inf
    assert measure_parity("relative_error", [{"y": values}], [], 1.0).value == math.inf


def test_the_worst_output_of_the_worst_sample_counts() -> None:
    expected = [{"a": np.float32([1.0]), "b": np.float32([1.0])}] * 2
    actual = [{"a": np.float32([1.0]), "b": np.float32([1.0])}, {"a": np.float32([1.0]), "b": np.float32([1.5])}]
    parity = measure_parity("relative_error", expected, actual, 0.1)
    assert parity.value == pytest.approx(0.5) and parity.max_abs_error == pytest.approx(0.5)
    assert parity.metric == "relative_error" and parity.threshold == 0.1


def test_predictions_are_compared_over_the_whole_vocabulary() -> None:
    generator = np.random.default_rng(0)
    logits, noisy = (generator.standard_normal((2, 7, 11)) for _ in range(2))
    ids = generator.integers(0, 11, (2, 7))

    def softmax(values: np.ndarray) -> np.ndarray:
        powers = np.exp(values)
        return powers / powers.sum(-1, keepdims=True)

    p, q = softmax(logits), softmax(noisy)
    np.testing.assert_allclose(log_softmax(logits), np.log(p))
    quality = compare_predictions(zip(log_softmax(logits), log_softmax(noisy), ids, strict=True))
    assert quality.positions == 14
    assert quality.kl_divergence == pytest.approx((p * np.log(p / q)).sum(-1).mean())
    assert quality.top1_agreement == pytest.approx((p.argmax(-1) == q.argmax(-1)).mean())
    own, other = (
        np.exp(-np.mean([np.log(x[w, i, ids[w, i + 1]]) for w in range(2) for i in range(6)])) for x in (p, q)
    )
    assert quality.perplexity_ratio == pytest.approx(other / own)


def test_predictions_that_are_not_finite_are_infinitely_far() -> None:
    good = np.log(np.full((3, 4), 0.25))
    broken = compare_predictions([(good, np.full((3, 4), np.nan), np.zeros(3, np.int64))])
    assert broken.kl_divergence == math.inf and broken.top1_agreement == 0.0
