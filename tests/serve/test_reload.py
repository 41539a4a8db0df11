from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tornado.httpclient import HTTPClientError
from tornado.websocket import websocket_connect

from serve.served_site import PAGE, ask, find_script, serving, socket_request, write_site
from webgpu_kit.serve import make_application
from webgpu_kit.serve.reload import is_whole


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
