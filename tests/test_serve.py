from __future__ import annotations

import asyncio
import contextlib
import functools
import gzip
import http.client
import json
import os
import queue
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect

from webgpu_kit.errors import ServeError
from webgpu_kit.serve import make_application, serve_in_background, serve_site
from webgpu_kit.serve.files import choose_encodings, find_file, insert_script, is_own_host, parse_range
from webgpu_kit.serve.reload import is_whole

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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("serve")
    (root / "secret.txt").write_bytes(SECRET)
    (root / "site-secret").mkdir()
    (root / "site-secret" / "secret.txt").write_bytes(SECRET)
    site = write_site(root / "site")
    (site / "app.wasm").write_bytes(b"\0asm" * 1000)
    (site / "app.wasm.br").write_bytes(b"brotli bytes")
    (site / "app.wasm.gz").write_bytes(gzip.compress(b"\0asm" * 1000))
    (site / "stale.js").write_text("new")
    (site / "stale.js.br").write_text("old")
    os.utime(site / "stale.js.br", (1, 1))
    with contextlib.suppress(OSError):  # Windows may not let us make links
        (site / "leak.txt").symlink_to(root / "secret.txt")
        (site / "leak").symlink_to(root, target_is_directory=True)
        (site / "data.json.gz").symlink_to(root / "secret.txt")
        (site / "hidden.txt").symlink_to(site / ".env")
        (site / "loop").symlink_to(site / "loop")
        (site / "alias.json").symlink_to(site / "data.json")
    return site


@pytest.fixture(scope="module")
def url(site: Path) -> Iterator[str]:
    with serve_in_background(site) as url:
        yield url


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


# Files


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/docs/", "text/html; charset=utf-8"),
        ("/kit/kit.mjs", "text/javascript; charset=utf-8"),
        ("/app.wasm", "application/wasm"),
        ("/model.onnx", "application/octet-stream"),
        ("/data.json", "application/json"),
        ("/data.json?v=1", "application/json"),
        ("/app.wasm.br", "application/octet-stream"),
        ("/spaced%20name%20%C3%A9.txt", "text/plain; charset=utf-8"),
    ],
)
def test_a_file_has_its_type_and_every_header_once(url: str, path: str, content_type: str) -> None:
    answer = ask(url, path)
    assert answer.status == 200
    assert answer.headers.get_all("Content-Type") == [content_type]
    assert answer.headers.get_all("X-Content-Type-Options") == ["nosniff"]
    assert [answer.headers.get_all(name) for name in ISOLATION] == [["same-origin"], ["require-corp"], ["same-origin"]]
    assert answer.headers.get_all("Cache-Control") == ["no-cache"]
    assert answer.headers["Server"] is None


def test_the_root_is_the_page_as_it_lies_in_the_site(url: str) -> None:
    assert ask(url, "/").body == PAGE.encode()


def test_a_hashed_file_may_be_kept_for_ever(url: str) -> None:
    assert ask(url, f"/{HASHED}").headers["Cache-Control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize(
    "path",
    ["/missing", "/missing.html", "/empty/", "/kit", "/kit/", "/kit/missing.mjs", "/index.html/", "/__kit/reload.js"],
)
def test_what_is_missing_is_a_line_of_text(url: str, path: str) -> None:
    answer = ask(url, path)
    assert (answer.status, answer.body) == (404, b"404 Not Found\n")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.headers["Cache-Control"] == "no-cache"
    assert len(answer.headers.get_all("Cross-Origin-Embedder-Policy")) == 1


def test_a_folder_with_an_index_gets_its_slash(url: str) -> None:
    answer = ask(url, "/docs")
    assert (answer.status, answer.headers["Location"]) == (302, "/docs/")


def test_a_link_that_stays_inside_is_served(url: str, site: Path) -> None:
    if not (site / "alias.json").is_symlink():
        pytest.skip("this system lets us make no links")
    assert ask(url, "/alias.json").body == b"{}"


@pytest.mark.parametrize(
    "path",
    [
        *("/../secret.txt", "/%2e%2e/secret.txt", "/..%2fsecret.txt", "/kit/../../secret.txt", "/%2e%2e%5csecret.txt"),
        *("/..\\secret.txt", "//secret.txt", "/./index.html", "/kit/./kit.mjs", "/../site-secret/secret.txt"),
        *("/.env", "/.git/config", "/%2eenv", "/leak.txt", "/leak/secret.txt", "/hidden.txt", "/loop", "/data.json%00"),
        *("/%00", "/%ff", "/C:/Windows/win.ini", "/index.html::$DATA", "/index.html.", "/index.html%20"),
        *("/" + "a" * 5000, "*", "/%252e%252e/secret.txt", "//docs", "/docs//"),
    ],
)
def test_nothing_outside_the_site_and_nothing_hidden(url: str, path: str) -> None:
    answer = ask(url, path)
    assert answer.status == 404
    assert SECRET not in answer.body


NAMES = ("..", ".", "", "secret.txt", "site-secret", "leak", "kit", "index.html", ".env", "~")
PIECES = st.sampled_from([*NAMES, "%2e", "%2f", "%5c", "\\", "\0", ":"])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(PIECES, st.text(max_size=5)), max_size=8), st.booleans())
def test_any_path_leads_to_a_file_of_the_site_or_nowhere(site: Path, pieces: list[str], quoted: bool) -> None:
    path = "/" + "/".join(pieces)
    found = find_file(site, quote(path, errors="replace") if quoted else path)
    if found is not None:
        assert found.is_file()
        assert found.is_relative_to(site.resolve())
        assert SECRET not in found.read_bytes()


# Methods, hosts, origins


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_only_get_and_head(url: str, method: str) -> None:
    answer = ask(url, "/", method)
    assert answer.status == 405
    assert answer.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/", "/app.wasm", "/model.onnx", "/nothing.bin"])
def test_head_is_get_without_the_body(url: str, path: str) -> None:
    head, get = ask(url, path, "HEAD"), ask(url, path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(get.body))
    assert {k: v for k, v in head.headers.items() if k != "Date"} == {
        k: v for k, v in get.headers.items() if k != "Date"
    }


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "localhost.", "127.0.0.1:80", "[::1]", "[::1]:5173"])
def test_own_hosts(url: str, host: str) -> None:
    assert ask(url, "/data.json", Host=host).status == 200


@pytest.mark.parametrize(
    "host",
    [
        *("elsewhere.example", "localhost.elsewhere.example", "127.0.0.1.nip.example", "192.168.1.2", "0.0.0.0"),
        *("a@localhost", "x:y:z"),
    ],
)
def test_a_foreign_host_is_refused(url: str, host: str) -> None:
    answer = ask(url, "/data.json", Host=host)
    assert answer.status in (400, 403)  # tornado itself answers 400 to what no Host can be
    assert answer.body != b"{}"
    if ":" not in host and "@" not in host:
        assert (answer.status, answer.body) == (403, b"403 Forbidden\n")


def test_a_foreign_host_in_the_request_line_is_refused(url: str) -> None:
    assert ask(url, "http://elsewhere.example/data.json").status == 403


def test_the_bound_host_is_our_own() -> None:
    assert is_own_host("box.lan:5173", "box.lan")
    assert is_own_host("192.168.1.2:5173", "0.0.0.0")
    assert is_own_host("[fe80::1]", "::")
    assert not is_own_host("elsewhere.example", "0.0.0.0")
    assert not is_own_host("192.168.1.2", "192.168.1.3")
    assert not is_own_host("", "localhost")


@pytest.mark.parametrize(
    "origin", ["http://localhost:3000", "http://localhost", "http://127.0.0.1:8", "http://[::1]:8"]
)
def test_local_origins_may_read(url: str, origin: str) -> None:
    answer = ask(url, "/data.json", Origin=origin)
    assert answer.headers.get_all("Access-Control-Allow-Origin") == [origin]
    assert "Origin" in answer.headers["Vary"]


@pytest.mark.parametrize(
    "origin",
    [
        "https://elsewhere.example",
        "http://localhost.elsewhere.example",
        "null",
        "http://localhost:1@x",
        "https://localhost",
    ],
)
def test_other_origins_may_not(url: str, origin: str) -> None:
    answer = ask(url, "/data.json", Origin=origin)
    assert answer.headers["Access-Control-Allow-Origin"] is None


def test_isolation_can_be_left_out(site: Path) -> None:
    with serve_in_background(site, isolated=False) as url:
        headers = ask(url, "/").headers
        assert [headers[name] for name in ISOLATION] == [None, None, None]
        assert headers["X-Content-Type-Options"] == "nosniff"


# Ranges and conditions


@pytest.mark.parametrize(
    ("header", "status", "body", "content_range"),
    [
        ("bytes=0-3", 206, bytes([0, 1, 2, 3]), "bytes 0-3/256"),
        ("bytes=250-", 206, bytes(range(250, 256)), "bytes 250-255/256"),
        ("bytes=-2", 206, bytes([254, 255]), "bytes 254-255/256"),
        ("bytes=-999", 206, bytes(range(256)), "bytes 0-255/256"),
        ("bytes=255-999", 206, bytes([255]), "bytes 255-255/256"),
        ("bytes=256-", 416, b"416 Requested Range Not Satisfiable\n", "bytes */256"),
        ("bytes=-0", 416, b"416 Requested Range Not Satisfiable\n", "bytes */256"),
        ("bytes=3-2", 200, bytes(range(256)), None),
        ("bytes=0-1,4-5", 200, bytes(range(256)), None),
        ("lines=0-1", 200, bytes(range(256)), None),
    ],
)
def test_ranges(url: str, header: str, status: int, body: bytes, content_range: str | None) -> None:
    answer = ask(url, "/model.onnx", Range=header)
    assert (answer.status, answer.body, answer.headers["Content-Range"]) == (status, body, content_range)
    assert answer.headers["Content-Length"] == str(len(body))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, 300), st.integers(0, 300), st.integers(0, 300), st.sampled_from(["both", "first", "suffix"]))
def test_a_range_is_what_the_standard_says(size: int, first: int, last: int, form: str) -> None:
    content = bytes(index % 251 for index in range(size))
    header = {"both": f"bytes={first}-{last}", "first": f"bytes={first}-", "suffix": f"bytes=-{last}"}[form]
    span = parse_range(header, size)
    expected = {"both": content[first : last + 1], "first": content[first:], "suffix": content[-last:] if last else b""}
    if form == "both" and last < first:
        assert span is None
        return
    assert span is not None
    assert bytes(content[index] for index in span) == expected[form]


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="bytes=-,0123456789 ٣x", max_size=30), st.integers(0, 300))
def test_any_range_header_is_inside_the_file_or_ignored(header: str, size: int) -> None:
    span = parse_range(header, size)
    assert span is None or not span or (0 <= span.start < span.stop <= size)


def test_if_range_asks_for_the_same_file(url: str) -> None:
    tag = ask(url, "/model.onnx").headers["ETag"]
    assert ask(url, "/model.onnx", Range="bytes=0-0", If_Range=tag).status == 206
    assert ask(url, "/model.onnx", Range="bytes=0-0", If_Range='"other"').status == 200


def test_conditions(url: str) -> None:
    first = ask(url, "/data.json")
    for headers in (
        {"If_None_Match": first.headers["ETag"]},
        {"If_None_Match": f'"x", W/{first.headers["ETag"]}'},
        {"If_Modified_Since": first.headers["Last-Modified"]},
    ):
        answer = ask(url, "/data.json", **headers)
        assert (answer.status, answer.body) == (304, b"")
        assert answer.headers["ETag"] == first.headers["ETag"]
    for headers in (
        {"If_None_Match": '"x"', "If_Modified_Since": first.headers["Last-Modified"]},  # the tag decides
        {"If_Modified_Since": formatdate(0, usegmt=True)},
        {"If_Modified_Since": "yesterday"},
        {"If_Modified_Since": "Sat, 01 Jan 2000 00:00:00"},
    ):
        assert ask(url, "/data.json", **headers).status == 200


def test_a_changed_file_has_another_tag(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site")
    with serve_in_background(site) as url:
        tag = ask(url, "/data.json").headers["ETag"]
        (site / "data.json").write_text("[]")
        os.utime(site / "data.json", (1, 1))
        answer = ask(url, "/data.json", If_None_Match=tag)
        assert (answer.status, answer.body) == (200, b"[]")


# Compressed siblings


@pytest.mark.parametrize(
    ("accept", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip", "gzip"),
        ("br;q=0.1, gzip;q=0.9", "gzip"),
        ("*", "br"),
        ("GZIP", "gzip"),
        ("identity", None),
        ("br;q=x", None),
        ("", None),
    ],
)
def test_compressed_as_the_client_likes(url: str, site: Path, accept: str, encoding: str | None) -> None:
    answer = ask(url, "/app.wasm", Accept_Encoding=accept)
    suffix = {"br": ".br", "gzip": ".gz", None: ""}[encoding]
    assert answer.headers["Content-Encoding"] == encoding
    assert answer.headers["Content-Type"] == "application/wasm"
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert answer.body == (site / f"app.wasm{suffix}").read_bytes()


def test_every_encoding_has_its_own_tag(url: str) -> None:
    answers = [ask(url, "/app.wasm", Accept_Encoding=accept) for accept in ("br", "gzip", "identity")]
    assert len({answer.headers["ETag"] for answer in answers}) == 3
    again = ask(url, "/app.wasm", Accept_Encoding="br", If_None_Match=answers[0].headers["ETag"])
    assert again.status == 304
    assert "Accept-Encoding" in again.headers["Vary"]


def test_a_range_is_of_the_file_itself(url: str) -> None:
    answer = ask(url, "/app.wasm", Accept_Encoding="br, gzip", Range="bytes=0-3")
    assert (answer.status, answer.body, answer.headers["Content-Encoding"]) == (206, b"\0asm", None)
    assert "Accept-Encoding" in answer.headers["Vary"]


def test_a_stale_or_foreign_sibling_is_not_taken(url: str) -> None:
    assert ask(url, "/stale.js", Accept_Encoding="br").body == b"new"
    assert ask(url, "/data.json", Accept_Encoding="gzip").body == b"{}"


def test_without_a_word_nothing_is_compressed() -> None:
    assert choose_encodings("") == []
    assert choose_encodings("identity;q=1, *;q=0") == []


# Big files


def test_a_slow_client_keeps_nobody_waiting(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site")
    content = os.urandom(1024) * 32 * 1024
    (site / "big.bin").write_bytes(content)
    with serve_in_background(site) as url:
        slow = socket.create_connection((urlsplit(url).hostname or "", urlsplit(url).port or 0))
        slow.sendall(b"GET /big.bin HTTP/1.1\r\nHost: localhost\r\n\r\n")
        begin = time.monotonic()
        for _ in range(20):
            assert ask(url, "/data.json").status == 200
        assert time.monotonic() - begin < 5
        assert ask(url, "/big.bin").body == content
        slow.close()
        assert ask(url, "/data.json").status == 200


def test_a_file_cut_short_ends_the_connection(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site")
    with (site / "big.bin").open("wb") as big:
        big.truncate(256 * 1024 * 1024)  # more than the buffers on the way hold
    with serve_in_background(site) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
        connection.request("GET", "/big.bin")
        answer = connection.getresponse()
        answer.read(1024)
        os.truncate(site / "big.bin", 0)
        with pytest.raises(http.client.IncompleteRead):
            answer.read()
        connection.close()


# Live reload


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


def test_the_reload_script_is_put_into_pages_and_never_written(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site")
    with serving(site) as url:
        answer = ask(url, "/")
        script = find_script(answer.body)
        assert re.sub(rb"<script src=[^>]*></script>\n", b"", answer.body) == PAGE.encode()
        assert answer.body.index(b"<script") < answer.body.index(b"</head>")
        assert answer.headers["Content-Length"] == str(len(answer.body))
        assert ask(url, "/", "HEAD").headers["Content-Length"] == str(len(answer.body))
        code = ask(url, script)
        assert code.status == 200
        assert code.headers["Content-Type"].startswith("text/javascript")
        assert code.headers["Cache-Control"] == "no-store"
        assert ask(url, "/__kit/reload.js?token=wrong").status == 404
        assert ask(url, "/__kit/reload.js").status == 404
        assert ask(url, script, Host="elsewhere.example").status == 403
        assert ask(url, "/forcereload").status == 404
        assert ask(url, "/docs/").body.startswith(b"docs<script")
    assert (site / "index.html").read_text() == PAGE


def test_every_run_has_its_own_token(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site")
    tokens = {make_application(site, reload=True).settings["hub"].token for _ in range(5)}
    assert len(tokens) == 5
    assert make_application(site, reload=False).settings["page_script"] == ""


def test_no_reload_leaves_pages_alone(tmp_path: Path) -> None:
    with serving(write_site(tmp_path / "site"), reload=False) as url:
        assert ask(url, "/").body == PAGE.encode()
        assert ask(url, "/__kit/reload").status == 404


def swap_in(site: Path, text: str) -> None:
    """Replace the site as a build does: written beside, then renamed."""
    fresh = write_site(site.with_name("fresh"), text)
    site.rename(site.with_name("old"))
    fresh.rename(site)
    shutil.rmtree(site.with_name("old"))


def socket_request(url: str, script: str, **headers: str) -> HTTPRequest:
    token = script.partition("?")[2]
    return HTTPRequest(f"ws{url[4:]}/__kit/reload?{token}", headers=headers)


def test_a_new_build_reloads_the_page_once(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site")

    async def listen(url: str) -> None:
        script = find_script(ask(url, "/").body)
        page = await websocket_connect(socket_request(url, script, Origin=url))
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.shield(asyncio.ensure_future(page.read_message())), 0.8)
        page.close()
        page = await websocket_connect(socket_request(url, script, Origin=url))
        swap_in(site, PAGE.replace("hello", "again"))
        assert await asyncio.wait_for(page.read_message(), 10) == "reload"
        assert b"again" in ask(url, "/").body
        second = asyncio.ensure_future(page.read_message())
        assert not (await asyncio.wait({second}, timeout=1.2))[0]
        second.cancel()
        page.close()

    with serving(site) as url:
        asyncio.run(listen(url))


def test_half_a_site_reloads_nothing(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site")

    async def listen(url: str) -> None:
        script = find_script(ask(url, "/").body)
        page = await websocket_connect(socket_request(url, script, Origin=url))
        message = asyncio.ensure_future(page.read_message())
        site.rename(site.with_name("old"))
        assert not (await asyncio.wait({message}, timeout=1.2))[0]
        (site / "model").mkdir(parents=True)
        (site / "index.html").write_text(PAGE)
        (site / "model" / "manifest.json").write_text("{")
        assert not (await asyncio.wait({message}, timeout=1.2))[0]
        shutil.rmtree(site)
        site.with_name("old").rename(site)
        assert await asyncio.wait_for(message, 10) == "reload"
        page.close()

    with serving(site) as url:
        asyncio.run(listen(url))


def write_bundle(site: Path) -> None:
    chunk = {"path": "chunks/aa.bin", "bytes": 3, "sha256": "aa"}
    manifest = {
        **{"schema": 1, "name": "n", "title": "t", "task": "tensor", "license": "MIT", "settings": {}, "variants": []},
        "source": {"uri": "u", "revision": "", "sha256": ""},
        "tools": dict.fromkeys(("webgpu_kit", "onnx", "onnxruntime", "onnxruntime_web", "exporter"), "1"),
        "interface": {"inputs": [], "outputs": []},
        "assets": [{"name": "a", "bytes": 3, "sha256": "aa", "chunks": [chunk]}],
        "golden": {"path": "golden.json", "sha256": "", "count": 0},
    }
    (site / "model" / "chunks").mkdir(parents=True)
    (site / "model" / "manifest.json").write_text(json.dumps(manifest))
    (site / "model" / "golden.json").write_text("{}")
    (site / "model" / "chunks" / "aa.bin").write_bytes(b"abc")


def test_a_site_is_whole_when_every_named_file_is(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site")
    write_bundle(site)
    assert is_whole(site)
    (site / "model" / "chunks" / "aa.bin").write_bytes(b"ab")
    assert not is_whole(site)
    (site / "model" / "chunks" / "aa.bin").unlink()
    assert not is_whole(site)
    (site / "model" / "chunks" / "aa.bin").write_bytes(b"abc")
    (site / "model" / "golden.json").unlink()
    assert not is_whole(site)


def test_only_a_page_of_this_run_may_listen(tmp_path: Path) -> None:
    async def knock(url: str) -> None:
        script = find_script(ask(url, "/").body)
        port = urlsplit(url).port
        for headers in (
            {"Origin": "https://elsewhere.example"},
            {"Origin": f"http://127.0.0.1:{port}"},
            {"Origin": f"https://localhost:{port}"},
            {"Origin": "null"},
            {},
            {"Origin": url, "Host": "elsewhere.example"},
        ):
            with pytest.raises(HTTPClientError, match="403"):
                await websocket_connect(socket_request(url, script, **headers))
        for wrong in ("?token=wrong", "?token=%C3%A9", "?"):
            with pytest.raises(HTTPClientError, match="403"):
                await websocket_connect(socket_request(url, wrong, Origin=url))
        (await websocket_connect(socket_request(url, script, Origin=url))).close()

    with serving(write_site(tmp_path / "site")) as url:
        asyncio.run(knock(url))


def test_a_browser_reloads_under_the_policy_of_the_pages(tmp_path: Path) -> None:
    from webgpu_kit.browser import find_browser, launch
    from webgpu_kit.site import CONTENT_SECURITY_POLICY

    policy = f'<meta http-equiv="Content-Security-Policy" content="{CONTENT_SECURITY_POLICY}">'
    text = PAGE.replace("<head><title>t", f'<head>{policy}<link rel="icon" href="data:,"><title>before')
    site = write_site(tmp_path / "site", text)
    said: list[str] = []
    with serving(site) as url, launch(find_browser(), webgpu="none") as browser:
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        with page.expect_event("websocket"):
            page.goto(url)
        assert page.evaluate("[document.title, crossOriginIsolated]") == ["before", True]
        with page.expect_event("load", timeout=10_000):
            swap_in(site, text.replace("before", "after"))
        assert page.title() == "after"
    assert said == []


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (b"<head></HEAD ><body></body>", b"<head>S</HEAD ><body></body>"),
        (b"<body>x</body>", b"<body>xS</body>"),
        (b"x", b"xS"),
    ],
)
def test_where_the_script_goes(page: bytes, expected: bytes) -> None:
    assert insert_script(page, "S") == expected


# Starting and ending


def test_a_busy_port_is_named_with_its_fix(site: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ServeError, match=f"port {port} on localhost is in use") as caught:
            serve_site(site, port=port, on_ready=lambda url: None)
        assert caught.value.fix == f"--port {port + 1}"


@pytest.mark.parametrize(
    ("host", "port", "message"),
    [
        ("no-such-host.invalid", 0, "host 'no-such-host.invalid' cannot be resolved"),
        ("192.0.2.1", 0, "host '192.0.2.1' is not an address of this machine"),
        ("localhost", 70000, "port 70000"),
        ("localhost", -1, "port -1"),
        ("a" * 70, 0, "cannot be"),
    ],
)
def test_an_address_that_cannot_be_had(site: Path, host: str, port: int, message: str) -> None:
    with pytest.raises(ServeError, match=message) as caught:
        serve_site(site, host=host, port=port, on_ready=lambda url: None)
    assert caught.value.fix


def test_a_privileged_port_is_named(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(port: int, address: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("webgpu_kit.serve.bind_sockets", refuse)
    with pytest.raises(ServeError, match="port 80 on localhost needs rights"):
        serve_site(site, port=80, on_ready=lambda url: None)


def test_a_missing_site_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServeError, match="no such folder"), serve_in_background(tmp_path / "none"):
        pass


def test_the_background_server_ends_with_its_context(site: Path) -> None:
    before = threading.active_count()
    with serve_in_background(site) as url:
        assert re.fullmatch(r"http://localhost:\d+", url)
        kept_alive = http.client.HTTPConnection(urlsplit(url).netloc)
        kept_alive.request("GET", "/data.json")
        assert kept_alive.getresponse().read() == b"{}"
    assert threading.active_count() == before
    with pytest.raises(ConnectionError):
        ask(url, "/")
    kept_alive.close()


def test_an_error_in_the_block_passes_through(site: Path) -> None:
    with pytest.raises(ZeroDivisionError), serve_in_background(site):
        1 / 0  # noqa: B018


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no SIGTERM to a child, and Ctrl-C only to a console")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_end_it_cleanly(site: Path, number: int) -> None:
    code = (
        "import sys, pathlib; from webgpu_kit.serve import serve_site;"
        "serve_site(pathlib.Path(sys.argv[1]), port=0, on_ready=lambda url: print(url, flush=True)); print('ended')"
    )
    command = [sys.executable, "-W", "error", "-c", code, str(site)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        url = process.stdout.readline().strip()

        async def stay_connected() -> None:
            page = await websocket_connect(socket_request(url, find_script(ask(url, "/").body), Origin=url))
            process.send_signal(number)
            assert await asyncio.wait_for(page.read_message(), 5) is None

        asyncio.run(stay_connected())
        out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "ended\n", "")
