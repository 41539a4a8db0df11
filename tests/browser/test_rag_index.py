"""An index that was made ahead: the page opens it, finds in it, and would have made the same."""

from __future__ import annotations

import gzip
import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pdf_files
import pytest

from browser.conftest import OpenPage
from browser.rag_sites import SHOWN, add_files, open_library, open_passage, read_problems
from browser.watched_page import WatchedPage
from webgpu_kit.artifacts import Array
from webgpu_kit.cli import commands
from webgpu_kit.errors import BundleError, DocumentError
from webgpu_kit.index import IndexMade, index_documents
from webgpu_kit.manifest import SiteManifest, read_site_manifest
from webgpu_kit.passages import from_units, to_units
from webgpu_kit.site_file import read_site

HTML = """<!doctype html><html><head><title>Handbook</title><style>p { color: red }</style></head><body>
<nav><a href="/">Home</a></nav><h2>How to  <em>sail</em></h2>
<p style="color: blue">Raise the sail &amp; hold the rudder.<p>The wind   does the rest.<br>Most of the time.
<ul><li>A rope<li>A <b>knot</b><ol>
<li>tight</li> <li>or not</li></ol></ul><table><tr><th>Wind<td>4</table><pre>a   b
  c</pre>
<div hidden>never <p>seen</div><script>document.write("x")</script><blockquote>Ahoy!</blockquote></body></html>"""
FILES = {
    "guide/sea.md": "# The sea\n\nThe sea is wide. Ships — “tall ones” — sail on it 🍕.\n\n## Below\n\nFish live. "
    + "They swim about in the deep, dark and cold water all day long. " * 12,
    "guide/cat.txt": "The cat sleeps in the sun.\r\nIt dreams of fish.",
    "handbook.html": HTML,
}


def ignore(line: str) -> None:
    pass


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    pages = ("The baker begins at four.", "At noon the shop is closed.")
    (folder / "shop.pdf").write_bytes(pdf_files.write_pages(*pages))
    (folder / "scan.pdf").write_bytes(pdf_files.write_picture())
    return folder


@pytest.fixture
def site(rag_site: Path, spoil: Callable[[Path], Path]) -> Path:
    return spoil(rag_site)


def read_manifest(site: Path) -> SiteManifest:
    manifest = read_site_manifest(site)
    assert manifest
    return manifest


def read_index(site: Path, made: IndexMade) -> tuple[list[dict[str, Any]], Array]:
    content = b"".join((site / "model" / chunk.path).read_bytes() for chunk in made.entry.file.chunks)
    return decode(content)


def decode(content: bytes) -> tuple[list[dict[str, Any]], Array]:
    (length,) = struct.unpack("<I", content[8:12])
    header = json.loads(content[12 : 12 + length])
    start = 12 + length + -(12 + length) % 4
    vectors = np.frombuffer(content, dtype="<f4", offset=start).reshape(-1, header["model"]["dimensions"])
    return header["documents"], vectors


def list_passages(document: dict[str, Any]) -> list[str]:
    units = to_units(document["text"])
    return [from_units(units[each["start"] : each["end"]]) for each in document["passages"]]


def embed(page: WatchedPage, texts: list[str]) -> Array:
    script = "async (input) => (await window.kit.embeddings.create({ input })).data.map((each) => each.embedding)"
    return np.array(page.js(script, texts), dtype=np.float32)


def export(page: WatchedPage) -> bytes:
    with page.page.expect_download() as download:
        page.js("document.querySelector('#collection-export').click()")
    return Path(download.value.path()).read_bytes()


def test_the_page_opens_it_and_finds_in_it(site: Path, docs: Path, open_page: OpenPage) -> None:
    made = index_documents(docs, site, name="Manual", progress=ignore)
    assert made.entry.documents == 4 and list(made.skipped) == ["scan.pdf"]
    documents, vectors = read_index(site, made)
    assert len(vectors) == made.entry.passages == sum(len(each["passages"]) for each in documents)
    page = open_page(site, "?backend=wasm")
    open_library(page)
    page.until(f"{SHOWN} === 4")
    assert page.page.locator("#collection option").all_text_contents() == ["Manual (of this page)", "My files"]
    assert (
        not page.page.locator(".document .remove").count() and not page.page.locator("#collection-delete").is_visible()
    )
    page.page.fill("#question", "at noon the shop is closed")
    page.until("document.querySelector('.passage-place')?.textContent === 'shop.pdf, page 1'")
    open_passage(page, "shop.pdf")
    assert "At noon the shop is closed." in page.text("#reader-body")
    # The vectors are the page's own: the same graph, in another runtime.
    assert page.status["variant"] == made.entry.model.variant
    texts = [text for each in documents for text in list_passages(each)]
    distances = 1 - np.sum(embed(page, texts) * vectors, axis=1)
    assert np.max(np.abs(distances)) < 1e-5


def test_the_page_would_have_made_the_same(site: Path, docs: Path, open_page: OpenPage) -> None:
    made = index_documents(docs, site, progress=ignore)
    page = open_page(site, "?backend=wasm")
    open_library(page)
    page.until(f"{SHOWN} === 4")
    add_files(page, *((name, text.encode()) for name, text in FILES.items()), expect=3)
    assert page.js("document.querySelector('#collection').value") == "My files"
    own, own_vectors = decode(export(page))
    ahead, ahead_vectors = read_index(site, made)
    places: dict[str, list[int]] = {}
    for each in ahead:
        start = sum(len(other) for other in places.values())
        places[each["id"]] = list(range(start, start + len(each["passages"])))
    for document in own:
        assert document == next(each for each in ahead if each["id"] == document["id"])
    rows = [row for document in own for row in places[document["id"]]]
    assert np.max(np.abs(own_vectors - ahead_vectors[rows])) < 1e-3
    # The one that came with the page is there again.
    page.page.select_option("#collection", "page:docs", force=True)
    page.until(f"{SHOWN} === 4")
    page.page.reload()
    open_library(page)
    page.until(f"{SHOWN} === 4")


def test_a_new_index_takes_the_place_of_the_old_and_leaves_nothing(site: Path, docs: Path) -> None:
    (site / "CNAME").write_text("example.org")
    index_documents(docs, site, name="other", progress=ignore)
    first = index_documents(docs, site, name="Manual", progress=ignore)
    listed = json.loads((site / ".webgpu-kit.json").read_text(encoding="utf-8"))["files"]
    old = {chunk.path for chunk in first.entry.file.chunks}
    assert all(f"model/{path}" in listed for path in old) and "CNAME" not in listed
    shutil.rmtree(docs / "guide")
    second = index_documents(docs, site, name="Manual", progress=ignore)
    manifest = read_manifest(site)
    assert [(each.name, each.documents) for each in manifest.indexes] == [("other", 4), ("Manual", 2)]
    assert not any((site / "model" / path).exists() for path in old)
    assert all((site / "model" / chunk.path).is_file() for chunk in second.entry.file.chunks)
    assert (site / "CNAME").is_file() and read_site(site)
    packed = gzip.decompress((site / "model" / "manifest.json.gz").read_bytes())
    assert packed == (site / "model" / "manifest.json").read_bytes() and not (site / ".webgpu-kit.json.gz").exists()


def test_a_failure_leaves_the_site_as_it_is(site: Path, docs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.read_bytes() for path in (site / "model").rglob("*") if path.is_file()}

    def fail(path: Path, text: str) -> None:
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("webgpu_kit.index.publish.replace_file", fail)
    with pytest.raises(BundleError, match="No space left on device"):
        index_documents(docs, site, progress=ignore)
    assert {path: path.read_bytes() for path in (site / "model").rglob("*") if path.is_file()} == before
    assert [path.name for path in site.parent.iterdir() if "building" in path.name] == []


def test_an_index_of_another_model_is_refused_here_and_by_the_page(site: Path, docs: Path, open_page: OpenPage) -> None:
    index_documents(docs, site, progress=ignore)
    path = site / "model" / "encoder" / "manifest.json"
    changed = json.loads(path.read_text(encoding="utf-8"))
    changed["source"]["sha256"] = "f" * 64
    path.unlink()
    path.write_text(json.dumps(changed), encoding="utf-8")
    for sibling in path.parent.glob("manifest.json.*"):
        sibling.unlink()
    with pytest.raises(
        DocumentError, match=r"its index 'docs' was made with encoder .* the page has encoder \(ffffffff\)"
    ):
        index_documents(docs, site, progress=ignore)
    page = open_page(site, "?backend=wasm")
    open_library(page)
    assert '"docs" was made with the model encoder' in read_problems(page)
    assert page.js("document.querySelector('#collection').value") == "My files" and page.js(SHOWN) == 0


def test_documents_that_cannot_be_read_are_all_named(site: Path, docs: Path) -> None:
    with pytest.raises(DocumentError, match=r"none of its documents can be read.\n  scan.pdf has no text in it"):
        index_documents(docs / "scan.pdf", site, progress=ignore)


def test_the_command_prints_one_document(site: Path, docs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commands(["index", str(docs), "--into", str(site), "--name", "Manual", "--json"], standalone_mode=False)
    printed = capsys.readouterr()
    answer = json.loads(printed.out)
    assert answer["index"]["name"] == "Manual" and answer["index"]["documents"] == 4
    assert list(answer["skipped"]) == ["scan.pdf"] and "reading guide/cat.txt" in printed.err
    commands(["index", str(docs), "--into", str(site)], standalone_mode=False)
    assert "4 documents" in capsys.readouterr().out
