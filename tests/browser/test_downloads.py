"""Files that are missing, altered or wrong: tried again once, then refused by name, and the visitor is told."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import BrowserContext, Route

from browser import models
from browser.conftest import OpenPage
from browser.spoiling import change_golden, change_weights, corrupt, edit_manifest, find_file
from webgpu_kit.golden_file import decode_tensor
from webgpu_kit.manifest import MANIFEST_PATH

Spoil = Callable[[Path], Path]
Q8_ON_WASM = "?backend=wasm&variant=q8"


def weights_chunks(site: Path, variant: str = "q8") -> list[str]:
    chunks = [chunk["path"] for chunk in find_file(site, variant, "weights.bin")["chunks"]]
    assert len(chunks) > 2
    return chunks


class TestChunks:
    def test_a_chunk_that_is_bad_once_is_fetched_again(self, weights_site: Path, open_page: OpenPage) -> None:
        chunk, answers = weights_chunks(weights_site)[1], []

        def prepare(context: BrowserContext) -> None:
            def answer(route: Route) -> None:
                answers.append(route.request.headers.get("cache-control", ""))
                if len(answers) == 1:
                    content = bytearray(route.fetch().body())
                    content[7] ^= 1
                    route.fulfill(body=bytes(content), content_type="application/octet-stream")
                else:
                    route.continue_()

            context.route(f"**/{chunk}", answer)

        page = open_page(weights_site, Q8_ON_WASM, prepare=prepare)
        page.wait_until_ready()
        assert len(answers) == 2
        assert [attempt["ok"] for attempt in page.facts()["attempts"]] == [True]
        inputs = models.make_weights_inputs(0)
        assert np.isfinite(page.run(inputs)["y"]).all()

    def test_a_chunk_that_is_always_bad_fails_by_name(
        self, weights_site: Path, spoil: Spoil, open_page: OpenPage
    ) -> None:
        site = spoil(weights_site)
        chunk = weights_chunks(site)[1]
        corrupt(site / "model" / chunk)
        page = open_page(site, Q8_ON_WASM)
        reason = page.wait_for("failed")["reason"]
        assert f"{chunk} could not be downloaded: its contents do not match their sha256. It was tried twice." in reason
        assert page.text(".failure-reason") == reason
        assert page.requests.count(f"/model/{chunk}") == 2

    def test_a_chunk_that_is_too_short_fails_by_name(
        self, weights_site: Path, spoil: Spoil, open_page: OpenPage
    ) -> None:
        site = spoil(weights_site)
        path = site / "model" / weights_chunks(site)[0]
        path.write_bytes(path.read_bytes()[:-100])
        reason = open_page(site, Q8_ON_WASM).wait_for("failed")["reason"]
        assert f"{path.name} could not be downloaded: it has 29900 of 30000 bytes" in reason

    def test_a_missing_chunk_fails_by_name(self, weights_site: Path, spoil: Spoil, open_page: OpenPage) -> None:
        site = spoil(weights_site)
        chunk = weights_chunks(site)[0]
        (site / "model" / chunk).unlink()
        page = open_page(site, Q8_ON_WASM, expected=[f"404.*{chunk}"])
        reason = page.wait_for("failed")["reason"]
        assert re.search(f"{chunk} could not be downloaded: the server answered 404", reason)

    def test_a_bad_chunk_of_the_runtime_fails_by_name(
        self, built_digits: Path, spoil: Spoil, open_page: OpenPage
    ) -> None:
        site = spoil(built_digits)
        (path,) = (
            path
            for path in (site / "runtime").glob("ort-wasm-simd-threaded.*.wasm")
            if "jspi" not in path.name and "asyncify" not in path.name
        )
        corrupt(path)
        reason = open_page(site, "?backend=wasm&variant=q8").wait_for("failed")["reason"]
        assert f"{path.name} could not be downloaded: its contents do not match" in reason

    def test_the_next_variant_runs_where_the_first_is_broken(
        self, built_digits: Path, spoil: Spoil, open_page: OpenPage
    ) -> None:
        site = spoil(built_digits)
        own = {chunk["path"] for chunk in find_file(site, "q8", "weights.bin")["chunks"]}
        (chunk,) = own - {chunk["path"] for chunk in find_file(site, "fp16", "weights.bin")["chunks"]}
        corrupt(site / "model" / chunk)
        page = open_page(site, "?backend=wasm")
        status = page.wait_until_ready()
        assert status["variant"] == "fp16"
        assert chunk in status["reason"] and status["reason"].endswith("so the model runs as fp16.")
        assert [(attempt["variant"], attempt["ok"]) for attempt in page.facts()["attempts"]] == [
            ("q8", False),
            ("fp16", True),
        ]


class TestSelfTest:
    def test_wrong_weights_are_refused_and_the_next_variant_runs(
        self, weights_site: Path, spoil: Spoil, open_page: OpenPage
    ) -> None:
        site = spoil(weights_site)
        change_weights(site, "q4f16")
        page = open_page(site, "?backend=wasm")
        status = page.wait_until_ready()
        assert status["variant"] == "q4"
        assert "wrong answer in its self-test: relative_error is" in status["reason"]

    def test_a_golden_that_no_variant_meets_fails_them_all(
        self, built_digits: Path, spoil: Spoil, open_page: OpenPage
    ) -> None:
        def turn_round(golden: dict[str, Any]) -> None:
            tensor = golden["samples"][0]["outputs"]["probabilities"]
            tensor["data"] = base64.b64encode(decode_tensor(tensor)[:, ::-1].tobytes()).decode()

        site = spoil(built_digits)
        change_golden(site, turn_round)
        page = open_page(site, "?backend=wasm")
        reason = page.wait_for("failed")["reason"]
        assert "The model gave a wrong answer in its self-test: probability_error is" in reason
        assert "allowed is 0.1" in reason
        assert page.js("window.kit === undefined")
        # The panel lists every pair that was tried.
        tried = page.page.locator(".failure .attempts li .attempt-pair").all_text_contents()
        assert tried == ["wasm q8", "wasm fp16", "wasm fp32"]

    def test_an_altered_golden_is_refused(self, built_digits: Path, spoil: Spoil, open_page: OpenPage) -> None:
        site = spoil(built_digits)
        (golden,) = (site / "model").glob("golden.*.json")
        golden.write_text(golden.read_text(encoding="utf-8") + " ", encoding="utf-8")
        for sibling in (site / "model").glob("golden.*.json.*"):
            sibling.unlink()
        reason = open_page(site, "?backend=wasm&variant=q8").wait_for("failed")["reason"]
        assert f"{golden.name} could not be downloaded, or does not match its sha256" in reason


class TestManifest:
    def test_a_missing_manifest_is_told(self, built_digits: Path, spoil: Spoil, open_page: OpenPage) -> None:
        site = spoil(built_digits)
        for path in (site / "model").glob("manifest.json*"):
            path.unlink()
        page = open_page(site, expected=["404.*/model/manifest.json"])
        reason = page.wait_for("failed")["reason"]
        assert reason.endswith("/model/manifest.json could not be downloaded: the server answered 404.")
        assert page.text(".failure-reason") == reason
        assert page.page.get_by_role("button", name="Try again").is_visible()

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            ("<!doctype html><title>Not found</title>", "is not JSON"),
            ("null", "has schema undefined, this page reads 1"),
        ],
    )
    def test_a_manifest_that_is_none_is_told(
        self, built_digits: Path, spoil: Spoil, open_page: OpenPage, content: str, words: str
    ) -> None:
        site = spoil(built_digits)
        edit_manifest(site, lambda manifest: None)
        (site / MANIFEST_PATH).write_text(content, encoding="utf-8")
        page = open_page(site)
        assert words in page.wait_for("failed")["reason"]
        assert page.page.locator(".failure").is_visible()

    def test_a_manifest_of_another_schema_is_told(self, built_digits: Path, spoil: Spoil, open_page: OpenPage) -> None:
        site = spoil(built_digits)
        edit_manifest(site, lambda manifest: manifest.update(schema=2))
        reason = open_page(site).wait_for("failed")["reason"]
        assert "has schema 2, this page reads 1. Build the site again." in reason

    def test_a_missing_worker_is_told(self, built_digits: Path, spoil: Spoil, open_page: OpenPage) -> None:
        site = spoil(built_digits)
        for path in (site / "kit").glob("worker.js*"):
            path.unlink()
        page = open_page(site, expected=[r"(404|ERR_FAILED).*/kit/worker\.js"])
        assert "its files could not be loaded" in page.wait_for("failed")["reason"]
