"""Everything that a page does wrong, and what it costs, collected from its first byte on."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from webgpu_kit.report import Problem, ProblemKind

if TYPE_CHECKING:
    from playwright import async_api

TEXT_LIMIT = 600
# Fetches that the page itself gave up, which is its right.
ABORTED = ("net::ERR_ABORTED", "NS_BINDING_ABORTED")


class PageWatch:
    """Listens to one page. `activity` counts what shows that it is still getting somewhere."""

    def __init__(self, page: async_api.Page, origin: str) -> None:
        self.origin = origin
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self.activity = 0
        self.request_count = 0
        self.crashed = False
        self._finished: list[async_api.Request] = []
        self._faulty_urls: set[str] = set()
        page.on("request", self._on_request)
        page.on("requestfinished", self._on_finished)
        page.on("requestfailed", self._on_failed)
        page.on("response", self._on_response)
        page.on("websocket", self._on_websocket)
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._add("page-error", error.stack or str(error)))
        page.on("crash", lambda _: self._on_crash())

    def is_own(self, url: str) -> bool:
        """Whether `url` stays on the site's origin (or never touches the network)."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https", "ws", "wss"):
            return True
        return parts.netloc == urlsplit(self.origin).netloc

    def report_problems(self, violations: list[dict[str, str]]) -> list[Problem]:
        """All problems, each once: the console repeats failed requests and policy violations."""
        told = [
            Problem(kind="csp", text=f"{v['directive']} blocked {v['blocked']}", where=v["where"]) for v in violations
        ]
        directives = {violation["directive"] for violation in violations}
        kept = [
            problem
            for problem in self.problems
            if not (problem.kind == "console" and problem.where.rsplit(":", 1)[0] in self._faulty_urls)
            and not (problem.kind == "csp" and any(directive in problem.text for directive in directives))
        ]
        unique = {problem.model_dump_json(): problem for problem in told + kept}
        return list(unique.values())

    async def count_bytes(self) -> int:
        """Bytes over the wire so far: headers and (compressed) bodies of every finished request."""
        from playwright.async_api import Error

        total = 0
        for request in self._finished:
            try:
                sizes = await request.sizes()
            except Error:  # answered from a cache, or its page is gone: nothing crossed the wire
                continue
            total += max(sizes["responseBodySize"], 0) + max(sizes["responseHeadersSize"], 0)
        return total

    def _add(self, kind: ProblemKind, text: str, where: str = "") -> None:
        self.problems.append(Problem(kind=kind, text=text.strip()[:TEXT_LIMIT], where=where.replace(self.origin, "")))

    def _on_request(self, request: async_api.Request) -> None:
        self.activity += 1
        self.request_count += 1
        if not self.is_own(request.url):
            self._faulty_urls.add(request.url)
            self._add("off-origin", f"{request.method} {request.url}")

    def _on_websocket(self, socket: async_api.WebSocket) -> None:
        if not self.is_own(socket.url):
            self._add("off-origin", f"WebSocket {socket.url}")

    def _on_finished(self, request: async_api.Request) -> None:
        self.activity += 1
        self._finished.append(request)

    def _on_failed(self, request: async_api.Request) -> None:
        self.activity += 1
        failure = request.failure or "no reason given"
        if failure in ABORTED:
            self.warnings.append(f"gave up {self._shorten(request.url)}")
        elif self.is_own(request.url):
            self._faulty_urls.add(request.url)
            self._add("request", f"{request.method} {self._shorten(request.url)}: {failure}")

    def _on_response(self, response: async_api.Response) -> None:
        if response.status >= 400:
            self._faulty_urls.add(response.url)
            self._add("request", f"{response.request.method} {self._shorten(response.url)}: {response.status}")

    def _on_console(self, message: async_api.ConsoleMessage) -> None:
        if message.type == "warning":
            self.warnings.append(message.text[:TEXT_LIMIT])
        if message.type not in ("error", "assert"):
            return
        place = message.location
        kind: ProblemKind = "csp" if "Content Security Policy" in message.text else "console"
        where = f"{place.get('url', '')}:{place.get('lineNumber', 0)}" if place.get("url") else ""
        self.problems.append(Problem(kind=kind, text=message.text.strip()[:TEXT_LIMIT], where=where))

    def _on_crash(self) -> None:
        self.crashed = True
        self._add("page-error", "the page crashed")

    def _shorten(self, url: str) -> str:
        return url.replace(self.origin, "", 1)
