"""What loading a page costs: the peak of its JavaScript heap, and a second visit over a slow line."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks.peer_pages import IS_READY, wait_until
from webgpu_kit.browser import find_browser, open_browser, open_profile, run_to_end
from webgpu_kit.serve import serve_in_background

LINE_BYTES_PER_S = 50e6 / 8  # 50 Mbit/s
SAMPLE_MS = 40


def measure_heap(browser: Any, url: str) -> dict[str, float]:
    """The peak of what JavaScript holds in the page and its worker while loading, ArrayBuffers included, in MB.

    V8 counts it; WebAssembly's own memory is not in it. Beside it what the page says that it downloaded.
    """
    context = browser.new_context()
    page = context.new_page()
    session = context.new_cdp_session(page)
    workers: list[str] = []
    replies: list[dict[str, Any]] = []
    session.on("Target.attachedToTarget", lambda event: workers.append(event["sessionId"]))
    session.on("Target.receivedMessageFromTarget", lambda event: replies.append(json.loads(event["message"])))
    session.send("Target.setAutoAttach", {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": False})
    page.goto(url)
    message = json.dumps({"id": 1, "method": "Runtime.getHeapUsage"})
    peak = page_peak = 0.0
    while not page.evaluate(IS_READY):
        for worker in workers:
            session.send("Target.sendMessageToTarget", {"sessionId": worker, "message": message})
        page.wait_for_timeout(SAMPLE_MS)
        page_peak = max(page_peak, _add_up(session.send("Runtime.getHeapUsage")))
        peak = max([peak, *(_add_up(reply["result"]) for reply in replies if "result" in reply)])
        replies.clear()
    downloaded = page.evaluate("window.kit.timings.downloadedBytes")
    context.close()
    heap_mb, download_mb = (peak + page_peak) / 1e6, downloaded / 1e6
    return {"heap_mb": heap_mb, "heap_download_mb": download_mb, "heap_over_download": heap_mb / download_mb}


def _add_up(usage: dict[str, float]) -> float:
    return usage["usedSize"] + usage.get("backingStorageSize", 0)


def measure_second_visit(site: Path, path: str) -> dict[str, float]:
    """Seconds until the page is ready over a line of 50 Mbit/s: with an empty profile, and again with the same."""
    with serve_in_background(site) as origin, _slow_line(origin) as slow:
        first_s, second_s = run_to_end(_visit_twice(slow + path))
    return {"first_visit_s": first_s, "second_visit_s": second_s, "second_visit_over_first": second_s / first_s}


async def _visit_twice(url: str) -> tuple[float, float]:
    async with open_browser(find_browser(None), webgpu="none") as opened, open_profile(opened) as context:
        times = []
        for _ in range(2):
            page = await context.new_page()
            started = time.perf_counter()
            await page.goto(url)
            while not await page.evaluate(IS_READY):
                await asyncio.sleep(0.05)
            times.append(time.perf_counter() - started)
            await asyncio.sleep(2)  # the browser writes its cache
            await page.close()
        return times[0], times[1]


@contextmanager
def _slow_line(origin: str) -> Iterator[str]:
    """A relay to `origin` that passes on LINE_BYTES_PER_S at most, over all connections together."""
    parts = urlsplit(origin)
    loop = asyncio.new_event_loop()
    address: list[str] = []
    free_at = 0.0

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, slow: bool) -> None:
        nonlocal free_at
        try:
            while data := await reader.read(16384):
                if slow:
                    free_at = max(free_at, loop.time()) + len(data) / LINE_BYTES_PER_S
                    await asyncio.sleep(free_at - loop.time())
                writer.write(data)
                await writer.drain()
        except OSError:
            pass  # one end has hung up; the other is told by closing
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        theirs, ours = await asyncio.open_connection(parts.hostname, parts.port)
        await asyncio.gather(pass_on(reader, ours, False), pass_on(theirs, writer, True))

    async def listen() -> None:
        server = await asyncio.start_server(connect, "localhost", 0)
        address.append(f"http://localhost:{server.sockets[0].getsockname()[1]}")

    thread = threading.Thread(target=lambda: (loop.run_until_complete(listen()), loop.run_forever()), daemon=True)
    thread.start()
    wait_until(lambda: bool(address), 10)
    try:
        yield address[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
