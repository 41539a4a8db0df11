from __future__ import annotations

import asyncio
import http.client
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tornado.websocket import websocket_connect

from serve.served_site import ask, find_script, socket_request
from webgpu_kit.errors import ServeError
from webgpu_kit.serve import serve_in_background, serve_site


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
