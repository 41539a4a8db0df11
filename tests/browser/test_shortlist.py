"""The shader that makes short lists of logits, against the sampler that sees them all; and what a token costs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

import webgpu_kit
from browser.conftest import FindPage, OpenPage, Serve
from browser.watched_page import watch_page

SETTINGS: list[dict[str, Any]] = [
    {"temperature": 0},
    {},
    {"temperature": 0.7, "top_p": 0.95},
    {"top_k": 40, "min_p": 0.01},
    {"temperature": 0, "repetition_penalty": 1.3},
    {"top_p": 0.9, "repetition_penalty": 1.2, "frequency_penalty": 0.5, "presence_penalty": -0.3},
]

# One row of logits after the other, drawn from twice: by all of them, and by the list that the GPU makes.
COMPARE = """async ({ size, shape, settings, masked, steps }) => {
    const load = (name) => import(`./kit/generation/${name}.js`);
    const [{ Random }, { GpuShortlist, usages }, { Sampler, SamplerBuffers, plainSampling }] =
        await Promise.all(["random", "gpu-shortlist", "sampler"].map(load));
    const random = new Random(size);
    const next = {
        peaked: () => 20 * random.nextFraction() ** 9 - 5,
        ties: () => Math.floor(random.nextFraction() ** 4 * 6),
        impossible: () => (random.nextFraction() < 0.5 ? -Infinity : 10 * random.nextFraction() ** 5),
    }[shape];
    const device = await (await navigator.gpu.requestAdapter()).requestDevice();
    device.addEventListener("uncapturederror", ({ error }) => console.error(error.message));
    const logits = device.createBuffer({ size: 4 * size, usage: usages.storage | usages.copyTarget });
    const gpu = await GpuShortlist.open(device, size, logits);
    const prompt = Array.from({ length: 100 }, () => Math.floor(random.nextFraction() * size));
    const [wanted, found] = [[], []];
    let enough = 0;
    for (const sampling of settings) {
        const make = () => new Sampler({ ...plainSampling, seed: 5, ...sampling }, prompt, new SamplerBuffers(size));
        const [whole, listed] = [make(), make()];
        const row = Float32Array.from({ length: size }, next);
        for (let step = 0; step < steps; step++) {
            for (let change = 0; change < size / 10; change++) row[Math.floor(random.nextFraction() * size)] = next();
            row[step % size] = 21; // so that penalties, masks and the rest have something to decide
            const mask = Int32Array.from({ length: Math.ceil(size / 32) }, () => random.nextWord());
            if (masked) whole.mask = listed.mask = mask;
            device.queue.writeBuffer(logits, 0, row);
            wanted.push(whole.pick(row.slice()));
            const quick = listed.pickListed(await gpu.make(listed));
            found.push(quick < 0 ? listed.pick(row.slice()) : quick);
            enough += quick >= 0;
        }
    }
    return { wanted, found, enough: enough / wanted.length };
}"""

# Rows of which nothing can be drawn, by the reason why the list must say so.
REFUSE = """async () => {
    const load = (name) => import(`./kit/generation/${name}.js`);
    const [{ GpuShortlist, usages }, { Sampler, SamplerBuffers, plainSampling }] =
        await Promise.all(["gpu-shortlist", "sampler"].map(load));
    const device = await (await navigator.gpu.requestAdapter()).requestDevice();
    const size = 1000;
    const logits = device.createBuffer({ size: 4 * size, usage: usages.storage | usages.copyTarget });
    const gpu = await GpuShortlist.open(device, size, logits);
    const sampler = new Sampler({ ...plainSampling, seed: 1 }, [], new SamplerBuffers(size));
    const told = {};
    for (const [name, value] of [["NaN", NaN], ["Infinity", Infinity], ["-Infinity", -Infinity], ["even", 3]]) {
        const row = new Float32Array(size).fill(value === value && value !== Infinity ? value : 1);
        row[700] = value;
        device.queue.writeBuffer(logits, 0, row);
        told[name] = sampler.pickListed(await gpu.make(sampler));
    }
    return told;
}"""

GENERATE = """async (request) => {
    const before = await window.kit.stats();
    const answer = await window.kit.chat.completions.create({
        messages: [{ role: "user", content: "hello world" }], ...request });
    const after = await window.kit.stats();
    const used = Object.fromEntries(Object.entries(after).map(([name, count]) => [name, count - before[name]]));
    return { text: answer.choices[0].message.content, tokens: answer.usage.completion_tokens, used };
}"""


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("size", "shape"), [(5000, "peaked"), (16385, "ties"), (3001, "impossible"), (99, "peaked")])
def test_the_gpus_list_gives_the_token_that_all_logits_give(
    open_page: OpenPage, talking_site: Path, size: int, shape: str, masked: bool
) -> None:
    page = open_page(talking_site, "bare.html")
    given = {"size": size, "shape": shape, "settings": SETTINGS, "masked": masked, "steps": 2 if size > 9000 else 4}
    drawn = page.js(COMPARE, given)
    assert drawn["found"] == drawn["wanted"]
    if shape == "peaked":
        assert drawn["enough"] > 0.8


def test_a_row_that_the_list_cannot_tell_of_is_left_to_the_sampler(open_page: OpenPage, talking_site: Path) -> None:
    assert set(open_page(talking_site, "bare.html").js(REFUSE).values()) == {-1}


@pytest.mark.parametrize("sampling", [{"temperature": 0}, {"temperature": 0.7, "top_p": 0.9, "seed": 3}])
def test_a_token_costs_one_map_and_less_than_4_kb(find_talking_page: FindPage, sampling: dict[str, Any]) -> None:
    page = find_talking_page("webgpu")
    short, long = (page.js(GENERATE, {**sampling, "max_tokens": tokens}) for tokens in (2, 10))
    tokens = long["tokens"] - short["tokens"]
    assert tokens > 2
    assert long["used"]["maps"] - short["used"]["maps"] == tokens
    assert long["used"]["bytesRead"] - short["used"]["bytesRead"] < 4000 * tokens
    assert short["used"]["maps"] == short["tokens"], "a prompt is read without looking at its logits"


def test_a_gated_block_is_one_dispatch(browser: Browser, serve: Serve, tmp_path: Path) -> None:
    from builder_inside import builder_inside
    from tiny_language_model import LAYERS, write_folder

    source = write_folder(tmp_path / "folder", epsilon=1e-5)
    settings = {"dtypes": ["q4"], "thresholds": {"q4": 20.0}, "agreement": {"q4": 0.0}}  # random weights round badly
    with builder_inside():
        webgpu_kit.build(source, out=tmp_path / "site", task="text-generation", **settings)
    with watch_page(browser, f"{serve(tmp_path / 'site')}/?backend=webgpu") as page:
        page.wait_until_ready()
        page.js(GENERATE, {"temperature": 0, "max_tokens": 1})
        again = page.js(GENERATE, {"temperature": 0, "max_tokens": 5})  # of its prompt only the last token is read
    # Attention is five (two products, positions, two passes), the rest of a layer the block, its way out and a sum.
    # Around them: looking up, the first sum, the last row, its logits, and three for the short list.
    assert again["used"]["dispatches"] == (8 * LAYERS + 7) * again["tokens"]


@pytest.mark.parametrize(
    "sampling",
    [
        {"temperature": 0},
        {"temperature": 0.7, "top_p": 0.9, "seed": 3},
        {"temperature": 1, "seed": 4},
        {"temperature": 1.2, "seed": 5, "frequency_penalty": 0.5, "presence_penalty": 0.5},
    ],
)
def test_both_backends_say_the_same(find_talking_page: FindPage, sampling: dict[str, Any]) -> None:
    pages = map(find_talking_page, ("wasm", "webgpu"))
    wasm, webgpu = (page.js(GENERATE, {**sampling, "max_tokens": 16})["text"] for page in pages)
    assert wasm == webgpu
