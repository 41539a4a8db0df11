"""Reading documents for an index: what is taken, what is left out and why, and errors that name their fix."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pdf_files
import pytest

from webgpu_kit.errors import BundleError, DocumentError
from webgpu_kit.index import index_documents
from webgpu_kit.index.documents import Document, find_files, read_document, read_files
from webgpu_kit.index.html_text import extract_text
from webgpu_kit.index.index_file import encode_index, split_document
from webgpu_kit.index.pdf_text import join_pages
from webgpu_kit.manifest import IndexModel


def ignore(line: str) -> None:
    pass


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def read(folder: Path, name: str, content: bytes) -> Document:
    return read_document(write(folder, {name: content}) / name, name)


def test_folders_are_read_and_what_is_no_document_is_not(tmp_path: Path) -> None:
    files = {"b.md": b"# B", "a/c.TXT": b"c", "a/d.html": b"<p>d", ".git/e.md": b"e", "f.png": b"f", "a/.g.md": b"g"}
    write(tmp_path, files)
    skipped: dict[str, str] = {}
    documents = list(read_files(tmp_path, skipped, ignore))
    assert [(each.name, each.kind, each.text) for each in documents] == [
        ("a/c.TXT", "text", "c"),
        ("a/d.html", "html", "d"),
        ("b.md", "markdown", "# B"),
    ]
    assert skipped == {} and find_files(tmp_path / "b.md") == [tmp_path / "b.md"]


def test_encodings_are_read_as_the_page_reads_them(tmp_path: Path) -> None:
    for content in ("Für".encode("utf-16"), b"\xfe\xff" + "Für".encode("utf-16-be"), "\ufeffFür".encode()):
        assert read(tmp_path, "a.txt", content).text == "Für"
    assert read(tmp_path, "a.html", b"<meta charset=iso-8859-1>\x80 5").text == "€ 5"
    assert read(tmp_path, "a.txt", b"a\r\nb\rc").text == "a\nb\nc"


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", b"", "is empty"),
        ("a.txt", b" \n", "has no text in it"),
        ("a.md", b"\x89PNG\r\n\0", "is a binary file"),
        ("a.md", b"abc\x01\x02", "is a binary file"),
        ("a.txt", "Für".encode("utf-16-le"), "is written in UTF-16 without a mark that says so; save it as UTF-8"),
        ("a.txt", "naïve".encode("cp1252"), "is not written in UTF-8; save it as UTF-8"),
        ("a.html", b"<meta charset=klingon>", 'is written in "klingon", which is not known'),
        ("a.pdf", b"no PDF", "is broken: it cannot be read as a PDF"),
        ("a.pdf", pdf_files.write_pages("half of it")[:400], "is broken: it cannot be read as a PDF"),
        ("a.pdf", pdf_files.write_picture(), "has no text in it: its pages are pictures"),
        ("a.pdf", pdf_files.write_pages("A secret.", password="x"), "opens only with a password"),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read(tmp_path, name, content)


def test_a_large_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.txt").open("wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(ValueError, match="is 100 MB large; the page reads files of up to 20 MB"):
        read_document(tmp_path / "a.txt", "a.txt")


def test_a_pdf_keeps_its_pages_and_whole_words(tmp_path: Path) -> None:
    pages = ("In the sun-\nshine they sleep.", "", "A sentence that\ngoes", "on. The end 🍕.")
    document = read(tmp_path, "a.pdf", pdf_files.write_pages(*pages[:3], "on. The end."))
    assert document.text == "In the sunshine they sleep.\n\nA sentence that\ngoes\non. The end."
    assert document.pages == (0, 27, 29, 50)
    assert join_pages(["", "One.", ""]) == ("One.", [0, 0, 4])


def test_html_gives_its_text_with_headings() -> None:
    page = """<!doctype html><title>A  title</title><style>p{}</style><nav>Menu</nav>
        <h2>Part <em>one</em></h2><p>First &amp; <b>last</b>.<p>Next<br>line</p><ul><li>one<li>two</ul>
        <div hidden><p>never</div><pre>a  b\n  c</pre><script>1 < 2</script><table><tr><td>x<td>y</table>"""
    assert extract_text(page).split("\n") == [
        *("# A title", "", "## Part one", "", "First & last.", "", "Next", "line", "", "- one", "", "- two", ""),
        *("a b", "c", "", "x y"),
    ]
    assert extract_text("<title>T</title><h1>Head</h1>text") == "# Head\n\ntext"


def test_places_in_the_file_are_javascripts(tmp_path: Path) -> None:
    document = Document("a.pdf", "pdf", "🍕 one.\n\ntwo.", pages=(0, 8))
    split = split_document(document, lambda texts: [50] * len(texts))
    model = IndexModel(name="m", sha256="0", variant="q8", dimensions=2)
    content = encode_index("n", model, [split], [[1, 0]])  # type: ignore[arg-type]
    length = int.from_bytes(content[8:12], "little")
    (header,) = json.loads(content[12 : 12 + length])["documents"]
    assert header["pages"] == [0, 9] and header["passages"] == [{"start": 0, "end": 13}]
    assert len(content) % 4 == 0 and content.startswith(b"WGKINDEX") and content.endswith(b"\0\0\x80\x3f\0\0\0\0")


def test_nothing_to_read_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match="there is no such file or folder"):
        find_files(tmp_path / "missing")
    with pytest.raises(DocumentError, match="has no documents in it") as caught:
        find_files(write(tmp_path, {"photo.png": b"1"}))
    assert ".md" in caught.value.fix and ".pdf" in caught.value.fix


def test_a_missing_package_is_named_with_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pypdf", None)
    with pytest.raises(DocumentError, match="needs the package pypdf") as caught:
        read(tmp_path, "a.pdf", pdf_files.write_pages("text"))
    assert caught.value.fix == "pip install 'webgpu-kit[index]'"


def test_only_a_search_page_takes_an_index(tmp_path: Path, digits_site: Path) -> None:
    docs = write(tmp_path / "docs", {"a.md": b"a"})
    with pytest.raises(BundleError, match="not a site"):
        index_documents(docs, tmp_path, progress=ignore)
    with pytest.raises(DocumentError, match="is a page for image-classification, which has no search") as caught:
        index_documents(docs, digits_site, progress=ignore)
    assert "webgpu-kit build rag" in caught.value.fix
