"""Packages are untrusted: only the members asked for, under safe names, never through links."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import onnx
import pytest
from test_model_files import write_external

from webgpu_kit.errors import SourceError
from webgpu_kit.source import archives
from webgpu_kit.source.archives import open_archive


def write_package(path: Path, files: Mapping[str, bytes], links: Mapping[str, str] | None = None) -> Path:
    """A wheel or an npm tarball, by the suffix of `path`."""
    links = links or {}
    if path.suffix == ".whl":
        with zipfile.ZipFile(path, "w") as wheel:
            for name, content in files.items():
                wheel.writestr(name, content)
            for name, target in links.items():
                entry = zipfile.ZipInfo(name)
                entry.external_attr = (stat.S_IFLNK | 0o777) << 16
                wheel.writestr(entry, target)
        return path
    with tarfile.open(path, "w:gz") as tarball:
        for name, content in files.items():
            entry = tarfile.TarInfo("package/" + name)
            entry.size = len(content)
            tarball.addfile(entry, io.BytesIO(content))
        for name, target in links.items():
            entry = tarfile.TarInfo("package/" + name)
            entry.type, entry.linkname = tarfile.SYMTYPE, target
            tarball.addfile(entry)
    return path


@pytest.fixture(params=["p.whl", "p.tgz"])
def package(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / str(request.param)


def unpack(package: Path, inner: str, folder: Path) -> list[str]:
    with open_archive(package) as archive:
        archive.unpack(archive.select(inner, "test:"), folder)
    return sorted(str(file.relative_to(folder).as_posix()) for file in folder.rglob("*") if file.is_file())


def test_only_what_was_named_is_unpacked(package: Path, tmp_path: Path) -> None:
    write_package(package, {"m/a.json": b"a", "m/sub/b.json": b"b", "m2/c.json": b"c", "setup.py": b"boom"})
    assert unpack(package, "m", tmp_path / "1") == ["m/a.json", "m/sub/b.json"]
    assert unpack(package, "m/a.json", tmp_path / "2") == ["m/a.json"]
    assert (tmp_path / "2" / "m" / "a.json").read_bytes() == b"a"


def test_unknown_member_suggests_near_ones(package: Path) -> None:
    write_package(package, {"m/model.onnx": b"a"})
    with open_archive(package) as archive, pytest.raises(SourceError, match=r"has no 'm/modle.onnx'") as caught:
        archive.select("m/modle.onnx", "test:")
    assert "m/model.onnx" in caught.value.fix


@pytest.mark.parametrize("inner", ["../x", "m/../../x", "/etc/passwd", "C:/x", "m\\..\\x", "m//x"])
def test_paths_that_leave_the_package(package: Path, inner: str) -> None:
    write_package(package, {"m/a.json": b"a"})
    with open_archive(package) as archive, pytest.raises(SourceError, match="not a plain path"):
        archive.select(inner, "test:")


@pytest.mark.parametrize("member", ["m/../../evil", "m/..\\evil", "m/c:evil"])
def test_members_that_leave_the_folder(package: Path, tmp_path: Path, member: str) -> None:
    write_package(package, {"m/a.json": b"a", member: b"evil"})
    with pytest.raises(SourceError, match="not a plain path"):
        unpack(package, "m", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_links_are_refused(package: Path, tmp_path: Path) -> None:
    write_package(package, {"m/a.json": b"a"}, {"m/link": "/etc/passwd"})
    with pytest.raises(SourceError, match="is a link"):
        unpack(package, "m", tmp_path / "out")
    with pytest.raises(SourceError, match="is a link"):
        unpack(package, "m/link", tmp_path / "out")
    assert unpack(package, "m/a.json", tmp_path / "out") == ["m/a.json"]


def test_size_limit(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_package(package, {"m/a": bytes(600), "m/b": bytes(600)})
    monkeypatch.setattr(archives, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(SourceError, match=r"1,200 bytes .* at most 1,000"):
        unpack(package, "m", tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04junk", b"\x1f\x8b\x08junk"])
def test_damaged_packages(package: Path, content: bytes) -> None:
    package.write_bytes(content)
    with pytest.raises(SourceError, match="damaged"), open_archive(package):
        pass


def test_damaged_member(tmp_path: Path) -> None:
    package = write_package(tmp_path / "p.whl", {"m/a.json": b"precious"})
    package.write_bytes(package.read_bytes().replace(b"precious", b"tampered", 1))
    with pytest.raises(SourceError, match="damaged"):
        unpack(package, "m", tmp_path / "out")


def test_onnx_brings_its_external_data(package: Path, tmp_path: Path) -> None:
    model = write_external(tmp_path)
    files = {"m/model.onnx": model.read_bytes(), "m/w.data": (tmp_path / "w.data").read_bytes(), "m/other": b""}
    write_package(package, files)
    assert unpack(package, "m/model.onnx", tmp_path / "out") == ["m/model.onnx", "m/w.data"]
    onnx.load(tmp_path / "out" / "m" / "model.onnx")
