"""Answer requests for the files of a site, and for nothing else.

The rules (DESIGN.md section 8):
1. Only regular files inside the site: no `..`, no dotfiles, no symlink that leads out.
2. Every answer carries the isolation headers exactly once: COEP sent twice means none.
3. A page elsewhere must not read the site: a foreign Host is refused (DNS rebinding), CORS is for localhost only.
4. An error is a line of plain text, never HTML that a page could take for its file.
"""

from __future__ import annotations

import asyncio
import ipaddress
import mimetypes
import os
import re
from collections.abc import Mapping
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler

READ_BYTES = 256 * 1024
ISOLATION_HEADERS = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Embedder-Policy": "require-corp",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Not left to the system's table: Windows takes it from the registry, where any program may have changed it.
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".json": "application/json",
    ".wasm": "application/wasm",
    ".onnx": "application/octet-stream",
    ".bin": "application/octet-stream",
    ".svg": "image/svg+xml",
}
ENCODINGS = {"br": ".br", "gzip": ".gz"}  # best first

_LOCAL_ORIGIN = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?")
_HOST = re.compile(r"(?P<name>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")
_RANGE = re.compile(r"\s*bytes\s*=\s*([0-9]{0,18})-([0-9]{0,18})\s*", re.IGNORECASE)
_HASHED = re.compile(r"(^|[.-])[0-9a-f]{16}\.")
_UNSAFE = re.compile(r"[\x00-\x1f\x7f\\:]")
# A copied site's files have times in any order; one edited by hand is newer than its sibling by more than this.
_STALE_S = 10.0


def find_file(site: Path, url_path: str) -> Path | None:
    """The file of `site` that the percent-encoded `url_path` names, links resolved, or None (rule 1)."""
    try:
        root, *parts = unquote(url_path, errors="strict").split("/")
        if root or not parts:
            return None
        parts[-1] = parts[-1] or "index.html"
        if any(not part or part.startswith(".") or part.endswith((".", " ")) or _UNSAFE.search(part) for part in parts):
            return None
        return _keep_inside(site, site.joinpath(*parts))
    except (OSError, ValueError, RuntimeError):  # a name too long, bytes that are not text, a loop of links
        return None


def _keep_inside(site: Path, path: Path) -> Path | None:
    root, real = site.resolve(strict=True), path.resolve(strict=True)
    if not real.is_relative_to(root) or not real.is_file():
        return None
    return None if any(part.startswith(".") for part in real.relative_to(root).parts) else real


def parse_range(header: str, size_bytes: int) -> range | None:
    """The bytes that a Range header asks for; empty if there are none of them (416), None to send the whole file.

    Several ranges at once are answered with the whole file, as the standard allows.
    """
    match = _RANGE.fullmatch(header)
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return range(max(0, size_bytes - int(last)), size_bytes)
    if last and int(last) < int(first):
        return None
    stop = min(int(last) + 1, size_bytes) if last else size_bytes
    return range(int(first), stop)


def choose_encodings(accept: str) -> list[str]:
    """The encodings we have siblings for that an Accept-Encoding header takes, the one to try first in front."""
    qualities: dict[str, float] = {}
    for item in accept.lower().split(","):
        name, _, parameter = (part.strip() for part in item.partition(";"))
        try:
            qualities[name] = float(parameter.removeprefix("q=")) if parameter else 1.0
        except ValueError:
            qualities[name] = 0.0
    wanted = {name: qualities.get(name, qualities.get("*", 0.0)) for name in ENCODINGS}
    return sorted((name for name in wanted if wanted[name] > 0), key=lambda name: -wanted[name])


def is_own_host(host: str, bound: str) -> bool:
    """Whether a Host header names this machine: localhost, or what the server was bound to (rule 3).

    Bound to every address, any address will do: a rebound name is the danger, and an address has no name.
    """
    match = _HOST.fullmatch(host)
    if match is None:
        return False
    name = match["name"].lower().strip("[]").removesuffix(".")
    if name in {"localhost", "127.0.0.1", "::1", bound.lower()}:
        return True
    try:
        return ipaddress.ip_address(bound or "::").is_unspecified and bool(ipaddress.ip_address(name))
    except ValueError:
        return False


class GuardedHandler(RequestHandler):
    """What every answer of this server has in common: rules 2 to 4. Only GET and HEAD exist."""

    def set_default_headers(self) -> None:
        """Rule 2; called again for an error, whose headers start afresh."""
        self.clear_header("Server")
        self.set_header("Content-Type", CONTENT_TYPES[".txt"])
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Cache-Control", "no-cache")
        if self.settings["isolated"]:
            for name, value in ISOLATION_HEADERS.items():
                self.set_header(name, value)
        self.set_header("Vary", "Origin")
        origin = self.request.headers.get("Origin", "")
        if _LOCAL_ORIGIN.fullmatch(origin):
            self.set_header("Access-Control-Allow-Origin", origin)

    def prepare(self) -> None:
        """Rule 3."""
        if not is_own_host(self.request.host, self.settings["host"]):
            raise HTTPError(HTTPStatus.FORBIDDEN, "foreign Host %r", self.request.host)

    def compute_etag(self) -> None:
        """Keep tornado from hashing the answer: a file has its own tag."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Rule 4."""
        if status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            self.set_header("Allow", "GET, HEAD")
        if status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            error = kwargs["exc_info"][1]
            self.set_header("Content-Range", f"bytes */{error.args[0]}")
        self.finish(f"{status_code} {HTTPStatus(status_code).phrase}\n")


class FileHandler(GuardedHandler):
    """A file of the site: whole, in part, compressed, or not at all because the client has it."""

    async def get(self) -> None:
        """Send the file. Big ones go in pieces, read off the loop, no faster than the client takes them."""
        path = find_file(self.settings["site"], self.request.path)
        try:
            if path is None:
                self._redirect_to_folder()
            elif self.settings["page_script"] and path.suffix == ".html":
                self._send_page(path)
            else:
                await self._send_file(path)
        except FileNotFoundError as error:  # a new build took the folder's place just now
            raise HTTPError(HTTPStatus.NOT_FOUND) from error
        except PermissionError as error:
            raise HTTPError(HTTPStatus.FORBIDDEN, "%s", error) from error

    head = get

    async def _send_file(self, path: Path) -> None:
        encoding, body_path = self._negotiate(path)
        with body_path.open("rb") as body:
            self._set_file_headers(path, os.fstat(body.fileno()), encoding)
            if self._is_known():
                self.set_status(HTTPStatus.NOT_MODIFIED)
                return
            await self._send(body, self._choose_span(os.fstat(body.fileno()).st_size, encoding))

    def _redirect_to_folder(self) -> None:
        # Without the slash in the end the page's own relative addresses would be wrong.
        if self.request.path.endswith("/") or not find_file(self.settings["site"], self.request.path + "/"):
            raise HTTPError(HTTPStatus.NOT_FOUND)
        self.redirect(self.request.path + "/")

    def _send_page(self, path: Path) -> None:
        """Send an HTML file with the reload script put into it."""
        self.set_header("Content-Type", CONTENT_TYPES[".html"])
        page = insert_script(path.read_bytes(), self.settings["page_script"])
        self.set_header("Content-Length", len(page))
        if self.request.method == "GET":
            self.write(page)

    def _negotiate(self, path: Path) -> tuple[str, Path]:
        """The encoding ("" for none) to send the file in, and the file that holds it so."""
        siblings: Mapping[str, Path] = {name: Path(f"{path}{suffix}") for name, suffix in ENCODINGS.items()}
        usable = {name for name, sibling in siblings.items() if self._is_fresh(sibling, path)}
        if not usable:
            return "", path
        self.set_header("Vary", "Accept-Encoding, Origin")
        if "Range" in self.request.headers:
            return "", path
        for name in choose_encodings(self.request.headers.get("Accept-Encoding", "")):
            if name in usable:
                return name, siblings[name]
        return "", path

    def _is_fresh(self, sibling: Path, path: Path) -> bool:
        try:
            inside = _keep_inside(self.settings["site"], sibling) is not None
            return inside and sibling.stat().st_mtime >= path.stat().st_mtime - _STALE_S
        except OSError:
            return False

    def _set_file_headers(self, path: Path, stat: os.stat_result, encoding: str) -> None:
        guess, compressed = mimetypes.guess_type(path.name)
        guess = "application/octet-stream" if compressed else guess
        self.set_header("Content-Type", CONTENT_TYPES.get(path.suffix, guess or "application/octet-stream"))
        self.set_header("ETag", f'"{stat.st_mtime_ns:x}-{stat.st_size:x}{encoding and "-" + encoding}"')
        self.set_header("Last-Modified", formatdate(stat.st_mtime, usegmt=True))
        self.set_header("Accept-Ranges", "bytes")
        if encoding:
            self.set_header("Content-Encoding", encoding)
        if _HASHED.search(path.name):
            self.set_header("Cache-Control", "public, max-age=31536000, immutable")

    def _is_known(self) -> bool:
        if "If-None-Match" in self.request.headers:
            return self.check_etag_header()
        try:
            since = parsedate_to_datetime(self.request.headers["If-Modified-Since"])
            return parsedate_to_datetime(self._headers["Last-Modified"]) <= since
        except (KeyError, ValueError, TypeError):  # none given, or not a date: then it is as if none were given
            return False

    def _choose_span(self, size_bytes: int, encoding: str) -> range:
        whole = range(size_bytes)
        condition = self.request.headers.get("If-Range")
        unchanged = condition in (None, self._headers["ETag"], self._headers["Last-Modified"])
        if encoding or self.request.method != "GET" or not unchanged:
            return whole
        span = parse_range(self.request.headers.get("Range", ""), size_bytes)
        if span is None:
            return whole
        if not span:
            error = HTTPError(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
            error.args = (size_bytes,)
            raise error
        self.set_status(HTTPStatus.PARTIAL_CONTENT)
        self.set_header("Content-Range", f"bytes {span.start}-{span.stop - 1}/{size_bytes}")
        return span

    async def _send(self, body: BinaryIO, span: range) -> None:
        self.set_header("Content-Length", len(span))
        if self.request.method != "GET":
            return
        body.seek(span.start)
        remaining = len(span)
        while remaining > 0:
            piece = await asyncio.to_thread(body.read, min(READ_BYTES, remaining))
            if not piece:  # cut short while we sent it: a closed connection says so, a short answer would not
                self.detach().close()
                return
            remaining -= len(piece)
            self.write(piece)
            try:
                await self.flush()
            except StreamClosedError:
                return


def insert_script(page: bytes, script: str) -> bytes:
    """The HTML `page` with `script` as the last thing of its head, after its Content-Security-Policy."""
    match = re.search(rb"</head\s*>|</body\s*>", page, re.IGNORECASE)
    place = match.start() if match else len(page)
    return page[:place] + script.encode() + page[place:]
