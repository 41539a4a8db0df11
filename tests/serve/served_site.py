"""A small site of files that say nothing, served, and asked as a client with no opinion would."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.client
import queue
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

from tornado.httpclient import HTTPRequest

from webgpu_kit.serve import serve_site

PAGE = "<!doctype html><html><head><title>t</title></head><body>hello</body></html>"
HASHED = "weights.0123456789abcdef.bin"
SECRET = b"nobody outside the site may read this"
ISOLATION = ("Cross-Origin-Opener-Policy", "Cross-Origin-Embedder-Policy", "Cross-Origin-Resource-Policy")


def write_site(site: Path, text: str = PAGE) -> Path:
    for folder in ("kit", "docs", "empty", ".git"):
        (site / folder).mkdir(parents=True)
    (site / "index.html").write_text(text)
    (site / "docs" / "index.html").write_text("docs")
    (site / "kit" / "kit.mjs").write_text("export const kit = 1;\n" * 100)
    (site / "data.json").write_text("{}")
    (site / "model.onnx").write_bytes(bytes(range(256)))
    (site / "nothing.bin").write_bytes(b"")
    (site / "spaced name é.txt").write_text("spaced")
    (site / HASHED).write_bytes(b"weights")
    (site / ".env").write_bytes(SECRET)
    (site / ".git" / "config").write_bytes(SECRET)
    return site


class Answer:
    def __init__(self, raw: http.client.HTTPResponse) -> None:
        self.status, self.headers, self.body = raw.status, raw.headers, raw.read()


def ask(url: str, path: str = "/", method: str = "GET", **headers: str) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    try:
        # putrequest and not request: the path goes out exactly as given.
        connection.putrequest(method, path, skip_host="Host" in headers, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name.replace("_", "-"), value)
        connection.endheaders()
        return Answer(connection.getresponse())
    finally:
        connection.close()


@contextlib.contextmanager
def serving(site: Path, *, reload: bool = True) -> Iterator[str]:
    """`serve_site` in a thread, as the command line runs it; there it has no signals, so it ends by cancelling."""
    ready: queue.Queue[tuple[str, Callable[[], object]]] = queue.Queue()

    def on_ready(url: str) -> None:
        task = asyncio.current_task()
        assert task
        ready.put((url, functools.partial(asyncio.get_running_loop().call_soon_threadsafe, task.cancel)))

    def run() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            serve_site(site, port=0, reload=reload, on_ready=on_ready)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    url, end = ready.get(timeout=10)
    try:
        yield url
    finally:
        end()
        thread.join(10)
        assert not thread.is_alive()


def find_script(page: bytes) -> str:
    match = re.search(rb'<script src="(/__kit/reload\.js\?token=[^"]{16,})"', page)
    assert match
    return match[1].decode()


def socket_request(url: str, script: str, **headers: str) -> HTTPRequest:
    token = script.partition("?")[2]
    return HTTPRequest(f"ws{url[4:]}/__kit/reload?{token}", headers=headers)
