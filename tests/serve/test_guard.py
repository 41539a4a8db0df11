from __future__ import annotations

from pathlib import Path

import pytest

from serve.served_site import ISOLATION, ask
from webgpu_kit.serve import serve_in_background
from webgpu_kit.serve.files import is_own_host


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
