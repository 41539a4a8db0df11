"""Every dtype and shape that a browser can carry, to the last bit, on wasm."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from playwright.sync_api import Browser

from browser import models
from browser.conftest import Serve
from browser.watched_page import WatchedPage, watch_page
from webgpu_kit.artifacts import Tensors


@pytest.fixture(scope="module")
def dtypes_page(browser: Browser, serve: Serve, dtypes_site: Path) -> Iterator[WatchedPage]:
    with watch_page(browser, serve(dtypes_site) + "/?backend=wasm") as page:
        page.wait_until_ready()
        yield page


@pytest.fixture(scope="module")
def varied_page(browser: Browser, serve: Serve, varied_site: Path) -> Iterator[WatchedPage]:
    with watch_page(browser, serve(varied_site) + "/?backend=wasm") as page:
        page.wait_until_ready()
        yield page


@pytest.fixture(scope="module")
def native(varied_onnx: Path) -> Any:
    return onnxruntime.InferenceSession(varied_onnx, providers=["CPUExecutionProvider"])


def check_bits(given: np.ndarray, wanted: np.ndarray) -> None:
    assert given.dtype == wanted.dtype and given.shape == wanted.shape
    assert given.tobytes() == wanted.tobytes()


class TestDtypes:
    def run(self, page: WatchedPage, rows: int, changed: Tensors) -> Tensors:
        empty = {f"in_{dtype}": np.ones((rows, 3), dtype) for dtype in models.DTYPES}
        return page.run({**empty, **changed})

    @pytest.mark.parametrize("dtype", models.DTYPES)
    def test_the_extremes_of_a_dtype_come_back_whole(self, dtypes_page: WatchedPage, dtype: str) -> None:
        value = models.make_extremes(dtype)
        outputs = self.run(dtypes_page, len(value), {f"in_{dtype}": value})
        assert set(outputs) == {f"out_{each}" for each in models.DTYPES}
        check_bits(outputs[f"out_{dtype}"], np.concatenate([value, value]))

    @pytest.mark.parametrize("dtype", models.DTYPES)
    def test_a_tensor_of_no_numbers(self, dtypes_page: WatchedPage, dtype: str) -> None:
        outputs = self.run(dtypes_page, 0, {})
        check_bits(outputs[f"out_{dtype}"], np.ones((0, 3), dtype))

    def test_the_page_runs_them_all(self, dtypes_page: WatchedPage) -> None:
        dtypes_page.page.get_by_role("button", name="Run", exact=True).click()
        dtypes_page.until("document.querySelectorAll('#outputs .output').length > 0", why="the outputs")
        shown = dtypes_page.page.locator("#outputs .output .dtype").all_text_contents()
        assert sorted(shown) == sorted(models.DTYPES)
        assert dtypes_page.text("#run-problem") == ""


class TestShapes:
    def make_inputs(self, rows: int, *, add: bool = True, scale: float = 2.5, seed: int = 0) -> Tensors:
        return {
            "x": np.random.default_rng(seed).standard_normal((rows, 3)).astype(np.float32),
            "scale": np.array(scale, np.float32),
            "add": np.array(add),
            "h": np.zeros((1, 4), np.float32),
        }

    def check(self, page: WatchedPage, native: Any, inputs: Tensors) -> Tensors:
        names = [output.name for output in native.get_outputs()]
        given = page.run(inputs)
        assert list(given) == names
        for name, wanted in zip(names, native.run(names, inputs), strict=True):
            assert given[name].dtype == wanted.dtype and given[name].shape == wanted.shape
            np.testing.assert_allclose(given[name], wanted, rtol=1e-5, atol=1e-6)
        return given

    def test_scalars_and_several_inputs_and_outputs(self, varied_page: WatchedPage, native: Any) -> None:
        given = self.check(varied_page, native, self.make_inputs(5))
        assert given["total"].shape == () and given["scaled"].shape == (5, 3)

    def test_a_size_of_zero(self, varied_page: WatchedPage, native: Any) -> None:
        given = self.check(varied_page, native, self.make_inputs(0))
        assert given["scaled"].shape == (0, 3) and given["total"] == 0

    @pytest.mark.parametrize("add", [True, False])
    def test_an_if_at_top_level_takes_the_right_branch(self, varied_page: WatchedPage, native: Any, add: bool) -> None:
        inputs = self.make_inputs(2, add=add)
        given = self.check(varied_page, native, inputs)
        np.testing.assert_allclose(given["chosen"], inputs["x"] + (2.5 if add else -2.5), rtol=1e-6)

    def test_a_state_is_carried_from_run_to_run(self, varied_page: WatchedPage, native: Any) -> None:
        there = here = np.zeros((1, 4), np.float32)
        for step in range(4):
            inputs = self.make_inputs(1, seed=step)
            (there,) = native.run(["hn"], {**inputs, "h": there})
            here = self.check(varied_page, native, {**inputs, "h": here})["hn"]
            np.testing.assert_allclose(here, there, rtol=1e-5, atol=1e-6)
        assert np.abs(here).max() > 0

    def test_the_sizes_of_one_run_do_not_bind_the_next(self, varied_page: WatchedPage, native: Any) -> None:
        for rows in (7, 1, 300, 0, 2):
            self.check(varied_page, native, self.make_inputs(rows))
