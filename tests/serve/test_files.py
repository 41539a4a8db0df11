from __future__ import annotations

import http.client
import os
import socket
import time
from email.utils import formatdate
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serve.served_site import HASHED, ISOLATION, PAGE, SECRET, ask, write_site
from webgpu_kit.serve import serve_in_background
from webgpu_kit.serve.files import choose_encodings, find_file, insert_script, parse_range


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
