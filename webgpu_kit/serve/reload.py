"""Live reload: pages that the dev server gave out load again when their site was built again.

livereload's watcher does the looking. Its websocket takes any origin and its `/forcereload` is an open GET, so
both are replaced: here a page needs the server's own origin and the random token of this run.
"""

from __future__ import annotations

import asyncio
import glob
import hmac
import secrets
import time
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tornado.web import HTTPError
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from webgpu_kit.artifacts import Bundle
from webgpu_kit.errors import BundleError
from webgpu_kit.manifest import MANIFEST_PATH, File
from webgpu_kit.serve.files import GuardedHandler
from webgpu_kit.site_file import read_site

if TYPE_CHECKING:
    from livereload.watcher import Watcher

SCRIPT_PATH, SOCKET_PATH = "/__kit/reload.js", "/__kit/reload"
POLL_S = 0.25
QUIET_S = 0.3  # a site that has not changed for so long is taken for finished
# Not the chunks: they never change, a new build names new ones in its manifest.
WATCHED = ("*", "kit/*", "samples/*", "runtime/runtime.json", MANIFEST_PATH)

# After a restart of the server the token is a new one, so the old page is refused: then it loads again.
SCRIPT = """\
const source = new URL(import.meta.url);
const token = source.searchParams.get("token");
function connect() {
  const socket = new WebSocket(`ws://${source.host}%(socket)s?token=${token}`);
  socket.onmessage = () => location.reload();
  socket.onclose = () => setTimeout(retry, 1000);
}
async function retry() {
  try {
    const answer = await fetch(source, { cache: "no-store" });
    if (answer.ok) connect();
    else location.reload();
  } catch {
    setTimeout(retry, 1000);
  }
}
connect();
"""


class ReloadHub:
    """The connected pages of one server, and the token that lets them in."""

    def __init__(self, site: Path) -> None:
        self.site = site
        self.token = secrets.token_urlsafe(24)
        self.sockets: set[ReloadSocket] = set()

    @property
    def page_script(self) -> str:
        """What the server puts into every page. A file, not inline: the pages' CSP forbids inline scripts."""
        return f'<script src="{SCRIPT_PATH}?token={self.token}" type="module"></script>\n'

    def is_token(self, given: str) -> bool:
        """Compare without telling by the time taken how much was right."""
        return hmac.compare_digest(given.encode(), self.token.encode())

    def reload_pages(self) -> None:
        """Tell every connected page to load again."""
        for socket in list(self.sockets):
            socket.tell("reload")

    def close(self) -> None:
        """Say goodbye to every page."""
        for socket in list(self.sockets):
            socket.close()

    async def watch(self) -> None:
        """Look for a new build until cancelled; tell the pages once it is quiet and whole."""
        watcher = _make_watcher(self.site)
        changed_at: float | None = None
        while True:
            await asyncio.sleep(POLL_S)
            if watcher.examine()[0]:
                changed_at = time.monotonic()
            elif changed_at is not None and time.monotonic() - changed_at >= QUIET_S and is_whole(self.site):
                changed_at = None
                self.reload_pages()


def _make_watcher(site: Path) -> Watcher:
    # Inside, because livereload changes asyncio's policy on Windows when imported: only the server may have that.
    from livereload.watcher import Watcher

    watcher = Watcher()
    for pattern in WATCHED:
        watcher.watch(f"{glob.escape(str(site.absolute()))}/{pattern}")
    watcher.examine()
    return watcher


def is_whole(site: Path) -> bool:
    """Whether `site` can be shown: its page is there and, if it has a bundle, every file that the manifest names."""
    if not (site / "index.html").is_file():
        return False
    if not (site / "model").exists():
        return True
    try:
        return all(_has_files(bundle) for bundle in read_site(site).bundles)
    except (BundleError, OSError):
        return False


def _has_files(bundle: Bundle) -> bool:
    manifest = bundle.manifest
    files = [*manifest.assets, *(file for variant in manifest.variants for file in variant.files)]
    return (bundle.path / manifest.golden.path).is_file() and all(_has_chunks(bundle.path, file) for file in files)


def _has_chunks(model: Path, file: File) -> bool:
    try:
        return all((model / chunk.path).stat().st_size == chunk.bytes for chunk in file.chunks)
    except OSError:
        return False


class ReloadScript(GuardedHandler):
    """The script that pages connect with; only for pages of this run."""

    def get(self) -> None:
        """Send it. Without the token there is no such file."""
        hub: ReloadHub = self.settings["hub"]
        if not hub.is_token(self.get_query_argument("token", "")):
            raise HTTPError(HTTPStatus.NOT_FOUND)
        self.clear_header("Access-Control-Allow-Origin")
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(SCRIPT % {"socket": SOCKET_PATH})

    head = get


class ReloadSocket(GuardedHandler, WebSocketHandler):
    """One connected page. It listens; what it says is not heard."""

    def prepare(self) -> None:
        """Refuse whoever is not a page of this server and this run."""
        super().prepare()
        hub: ReloadHub = self.settings["hub"]
        own_origin = f"{self.request.protocol}://{self.request.host}"
        if self.request.headers.get("Origin") != own_origin:
            raise HTTPError(HTTPStatus.FORBIDDEN, "foreign Origin %r", self.request.headers.get("Origin"))
        if not hub.is_token(self.get_query_argument("token", "")):
            raise HTTPError(HTTPStatus.FORBIDDEN, "wrong token")

    def open(self, *args: str, **kwargs: str) -> None:
        """Join the hub."""
        self.settings["hub"].sockets.add(self)

    def on_close(self) -> None:
        """Leave the hub."""
        self.settings["hub"].sockets.discard(self)

    def on_message(self, message: str | bytes) -> None:
        """Ignore it."""

    def tell(self, message: str) -> None:
        """Send `message`; a page that has just gone needs none."""
        try:
            sent: asyncio.Future[Any] = self.write_message(message)
        except WebSocketClosedError:
            return
        sent.add_done_callback(lambda done: done.exception())
