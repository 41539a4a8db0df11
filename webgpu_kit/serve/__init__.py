"""The dev server: a site on localhost, cross-origin isolated, reloaded in the browser when it is built again.

`serve_files` has the rules for files, `serve_reload` those for live reload; here is the server around them.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from types import FrameType

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from webgpu_kit.errors import ServeError
from webgpu_kit.serve.files import FileHandler
from webgpu_kit.serve.reload import SCRIPT_PATH, SOCKET_PATH, ReloadHub, ReloadScript, ReloadSocket

MAX_BODY_BYTES = 64 * 1024  # nothing here takes a body
HEARTBEAT_S = 0.5

_log = logging.getLogger(__name__)


def make_application(site: Path, *, reload: bool, isolated: bool = True, host: str = "localhost") -> Application:
    """The handlers for the files of `site`; `host` is the address bound to, which a Host header may name."""
    site = site.absolute()
    hub = ReloadHub(site) if reload else None
    return Application(
        [(SCRIPT_PATH, ReloadScript), (SOCKET_PATH, ReloadSocket)] if hub else [],
        default_handler_class=FileHandler,
        log_function=_log_request,
        websocket_max_message_size=1024,
        websocket_ping_interval=30,
        site=site,
        isolated=isolated,
        host=host,
        hub=hub,
        page_script=hub.page_script if hub else "",
    )


def serve_site(
    site: Path,
    *,
    host: str = "localhost",
    port: int = 5173,
    reload: bool = True,
    on_ready: Callable[[str], None],
) -> None:
    """Serve `site` until Ctrl-C or SIGTERM; `on_ready` gets the URL once it answers.

    Raises ServeError if there is no such folder or the address cannot be had.
    """
    application = make_application(site, reload=reload, host=host)
    sockets = _bind(site, host, port)

    async def run() -> None:
        stop = asyncio.Event()
        with _signals_set(stop):
            await _run_server(application, sockets, stop, on_ready=lambda: on_ready(_format_url(host, sockets)))

    # A Ctrl-C before the handlers are set, or after, is no less a wish to end.
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(run())


@contextlib.contextmanager
def serve_in_background(site: Path, *, isolated: bool = True) -> Iterator[str]:
    """Serve `site` on a free port of localhost, in a thread, for as long as the context is open; gives the URL."""
    application = make_application(site, reload=False, isolated=isolated)
    sockets = _bind(site, "localhost", 0)
    started: Future[Callable[[], object]] = Future()

    async def run() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        end = functools.partial(loop.call_soon_threadsafe, stop.set)
        await _run_server(application, sockets, stop, on_ready=lambda: started.set_result(end))

    def serve() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)  # else the caller would wait for ever

    thread = threading.Thread(target=serve, name="webgpu-kit serve", daemon=True)
    thread.start()
    end = started.result()
    try:
        yield _format_url("localhost", sockets)
    finally:
        end()
        thread.join()


async def _run_server(
    application: Application, sockets: list[socket.socket], stop: asyncio.Event, *, on_ready: Callable[[], None]
) -> None:
    server = HTTPServer(application, max_body_size=MAX_BODY_BYTES)
    server.add_sockets(sockets)
    hub: ReloadHub | None = application.settings["hub"]
    watching = asyncio.create_task(hub.watch()) if hub else None
    on_ready()
    try:
        await _wait(stop)
    finally:
        if watching:
            watching.cancel()
        if hub:
            hub.close()
        server.stop()
        await server.close_all_connections()


async def _wait(stop: asyncio.Event) -> None:
    # Windows does not wake a waiting loop for a signal: without a heartbeat Ctrl-C would go unheard there.
    while not stop.is_set():
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(stop.wait(), HEARTBEAT_S)


@contextlib.contextmanager
def _signals_set(stop: asyncio.Event) -> Iterator[None]:
    """Let Ctrl-C, SIGTERM and Windows' Ctrl-Break set `stop` instead of raising in the middle of something."""
    loop = asyncio.get_running_loop()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(stop.set)

    names = ("SIGINT", "SIGTERM", "SIGBREAK") if threading.current_thread() is threading.main_thread() else ()
    numbers = [getattr(signal, name) for name in names if hasattr(signal, name)]
    previous = {number: signal.signal(number, on_signal) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _bind(site: Path, host: str, port: int) -> list[socket.socket]:
    if not site.is_dir():
        raise ServeError(f"{site}: no such folder.", fix=f"webgpu-kit build MODEL --out {site}")
    if not 0 <= port <= 65535:
        raise ServeError(f"port {port} is not a port, they go from 0 to 65535.", fix="--port 5173")
    try:
        return bind_sockets(port, address=host)
    except socket.gaierror as error:
        raise ServeError(f"host '{host}' cannot be resolved: {error.strerror}.", fix="--host localhost") from error
    except (OSError, UnicodeError) as error:
        raise _explain(error, host, port) from error


def _explain(error: Exception, host: str, port: int) -> ServeError:
    number = error.errno if isinstance(error, OSError) else None
    if number == errno.EADDRINUSE:
        return ServeError(f"port {port} on {host} is in use.", fix=f"--port {port + 1 if port < 65535 else 5173}")
    if number in (errno.EACCES, errno.EPERM):
        return ServeError(f"port {port} on {host} needs rights that this user lacks.", fix="--port 5173")
    if number == errno.EADDRNOTAVAIL:
        return ServeError(f"host '{host}' is not an address of this machine.", fix="--host localhost")
    return ServeError(f"host '{host}', port {port}: cannot be served on: {error}.", fix="--host localhost")


def _format_url(host: str, sockets: list[socket.socket]) -> str:
    # Every address is no address that a browser could open.
    name = "localhost" if host in ("", "0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return f"http://{name}:{sockets[0].getsockname()[1]}"


def _log_request(handler: RequestHandler) -> None:
    _log.debug("%s %s %s", handler.get_status(), handler.request.method, handler.request.uri)
