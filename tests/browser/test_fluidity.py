"""The page stays fluid: no task of its main thread takes more than 50 ms, while loading and while running.

The browser's own observer counts the time on the clock: on a loaded machine a task that the system put aside for
40 ms looks long. Load can only add time, so one try without a long task proves that the page's code needs none.
Where the machine gives no such try, the processor time that each task took decides, which waiting does not add to.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from browser.conftest import Serve
from browser.watched_page import watch_page

LIMIT_MS = 50
TRIES = 4

LONG_TASKS = """() => new Promise((resolve) => {
    const observer = new PerformanceObserver((list) => resolve(list.getEntries().map(({ duration }) => duration)));
    observer.observe({ type: "longtask", buffered: true });
    setTimeout(() => resolve([]), 200); // there is no callback where there is nothing to tell
})"""

BLOCK = """() => new Promise((resolve) => setTimeout(() => {
    for (const end = performance.now() + 80; performance.now() < end; );
    setTimeout(resolve);
}))"""

LOAD_AND_RUN = """async (backend) => {
    const { load } = await import("./kit/kit.js");
    window.kit = await load("./model/manifest.json", { backend, variant: "q8" });
    const tensor = (dtype, shape, data) => ({ dtype, shape, data });
    const inputs = {
        x: tensor("float32", [1024, 200], new Float32Array(1024 * 200).fill(0.5)),
        k: tensor("int64", [2], new BigInt64Array(2)),
        p: tensor("float32", [1, 3, 8, 8], new Float32Array(192)),
    };
    for (let run = 0; run < 2; run++) await kit.run({ inputs });
}"""

DRAW = """async () => {
    while (!window.kit) await new Promise((resume) => setTimeout(resume, 50));
    const pad = document.querySelector("#pad");
    pad.setPointerCapture = () => {}; // a pointer that is made up cannot be captured
    const { left, top, width } = pad.getBoundingClientRect();
    const send = (type, y) => {
        const place = { clientX: left + width / 2, clientY: top + y * width };
        pad.dispatchEvent(new PointerEvent(type, { pointerId: 1, isPrimary: true, button: 0, buttons: 1, ...place }));
    };
    send("pointerdown", 0.1);
    for (let y = 0.1; y < 0.9; y += 0.02) {
        send("pointermove", y);
        await new Promise(requestAnimationFrame);
    }
    send("pointerup", 0.9);
    await new Promise((resume) => setTimeout(resume, 300));
}"""


def find_long_tasks(browser: Browser, url: str, use: str, argument: str | None = None) -> list[float]:
    """Durations on the clock, in ms, of the tasks over 50 ms that opening `url` and `use` of it takes."""
    with watch_page(browser, url) as page:
        page.js(use, argument)
        found: list[float] = page.js(LONG_TASKS)
        return found


def measure_processor_ms(browser: Browser, url: str, use: str, argument: str | None = None) -> float:
    """Processor time of the longest task of the page's main thread; the browser's own pages have such threads too."""
    browser.start_tracing(categories=["devtools.timeline", "toplevel", "__metadata"])
    try:
        with watch_page(browser, url) as page:
            page.js(use, argument)
    finally:
        events = json.loads(browser.stop_tracing())["traceEvents"]
    origin = "/".join(url.split("/")[:3])
    requests = [event for event in events if event["name"] == "ResourceSendRequest"]
    processes = {event["pid"] for event in requests if event["args"]["data"]["url"].startswith(origin)}
    threads = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain" and event["pid"] in processes
    }
    times: list[float] = [event["tdur"] / 1000 for event in events if "tdur" in event and _is_task(event, threads)]
    assert len(times) > 20, "the trace has lost the tasks"
    return max(times)


def _is_task(event: dict[str, object], threads: set[tuple[object, object]]) -> bool:
    return str(event["name"]).endswith("RunTask") and (event["pid"], event["tid"]) in threads


def check(browser: Browser, url: str, use: str, argument: str | None = None) -> None:
    seen = []
    for _ in range(TRIES):
        seen.append(find_long_tasks(browser, url, use, argument))
        if not seen[-1]:
            return
    longest_ms = measure_processor_ms(browser, url, use, argument)
    assert longest_ms <= LIMIT_MS, f"on the clock {seen}, and {longest_ms:.0f} ms of processor time"


def test_a_long_task_is_seen_either_way(browser: Browser, serve: Serve, varied_site: Path) -> None:
    url = serve(varied_site) + "/bare.html"
    assert max(find_long_tasks(browser, url, BLOCK)) >= 79
    # A loaded machine gives the task a part of the processor only: 27 ms out of 200 have been seen.
    assert measure_processor_ms(browser, url, BLOCK.replace("80", "2000")) > LIMIT_MS


@pytest.mark.parametrize("backend", ["wasm", "webgpu"])
def test_loading_and_running_large_inputs(browser: Browser, serve: Serve, weights_site: Path, backend: str) -> None:
    check(browser, serve(weights_site) + "/bare.html", LOAD_AND_RUN, backend)


def test_the_drawing_page(browser: Browser, serve: Serve, built_digits: Path) -> None:
    check(browser, serve(built_digits) + "/?backend=wasm", DRAW)


def test_a_photo_as_large_as_pages_send(browser: Browser, serve: Serve, colours_site: Path) -> None:
    use = """async () => {
        const { load } = await import("./kit/kit.js");
        window.kit = await load("./model/manifest.json", { backend: "wasm" });
        const image = new ImageData(1024, 1024);
        for (let run = 0; run < 5; run++) await kit.run({ image });
    }"""
    check(browser, serve(colours_site) + "/bare.html", use)
