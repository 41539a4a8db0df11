from __future__ import annotations

from typing import Literal

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from webgpu_kit.packing import expand_tensor, pack_blocks, pack_float16


@settings(max_examples=40, deadline=None)
@given(rows=st.integers(1, 40), columns=st.integers(1, 100), bits=st.sampled_from([4, 8]), transpose=st.booleans())
def test_expanding_gives_the_weight_within_half_a_step(
    rows: int, columns: int, bits: Literal[4, 8], transpose: bool
) -> None:
    matrix = np.random.default_rng([rows, columns]).standard_normal((rows, columns)).astype(np.float32)
    weight = matrix.T.copy() if transpose else matrix
    packed = pack_blocks("w", weight, bits, transpose=transpose)
    expanded = expand_tensor(packed)
    assert expanded.shape == weight.shape and (packed.rows, packed.columns) == matrix.shape
    assert packed.scales is not None
    # Rounding moves a value by half a step, rounding the zero point by half a step more.
    steps = np.repeat(np.abs(packed.scales), packed.block_size, axis=1)[:, :columns]
    error = np.abs(expanded - weight)
    assert np.all((error.T if transpose else error) <= steps * 1.01 + 1e-7)


@pytest.mark.parametrize("bits", [4, 8])
def test_the_layout_is_that_of_matmulnbits(bits: Literal[4, 8]) -> None:
    generator = np.random.default_rng(0)
    weight, x = generator.standard_normal((256, 40)).astype("f4"), generator.standard_normal((3, 256)).astype("f4")
    packed = pack_blocks("w", weight, bits, transpose=True)
    assert packed.scales is not None and packed.zero_points is not None
    node = helper.make_node(
        "MatMulNBits",
        ["x", "b", "s", "z"],
        ["y"],
        domain="com.microsoft",
        K=256,
        N=40,
        bits=bits,
        block_size=packed.block_size,
    )
    parts = {"b": packed.data, "s": packed.scales, "z": packed.zero_points}
    graph = helper.make_graph(
        [node],
        "one",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 256])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [3, 40])],
        [numpy_helper.from_array(value, name) for name, value in parts.items()],
    )
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    np.testing.assert_allclose(session.run(None, {"x": x})[0], x @ expand_tensor(packed), atol=1e-4)


def test_convolution_weights_keep_their_shape() -> None:
    weight = np.random.default_rng(0).standard_normal((8, 3, 3, 3)).astype("f4")
    packed = pack_blocks("w", weight, 8, transpose=False)
    assert (packed.rows, packed.columns) == (8, 27)
    np.testing.assert_allclose(expand_tensor(packed), weight, atol=0.03)


def test_float16_clips_instead_of_overflowing() -> None:
    weight = np.float32([1e9, -1e9, 1.0, 1e-9])
    expanded = expand_tensor(pack_float16("w", weight))
    assert np.all(np.isfinite(expanded))
    np.testing.assert_allclose(expanded, [65504, -65504, 1, 0])


def test_a_block_of_zeros_stays_zero() -> None:
    for bits in (4, 8):
        packed = pack_blocks("w", np.zeros((4, 64), np.float32), bits, transpose=False)  # type: ignore[arg-type]
        assert not expand_tensor(packed).any()
