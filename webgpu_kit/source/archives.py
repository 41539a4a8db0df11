"""Read single members out of a wheel (zip) or an npm package (tar), trusting nothing that they say.

No `extractall`: only plain files under the path that was asked for, under checked names, up to a size limit.
"""

from __future__ import annotations

import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Protocol

from webgpu_kit.errors import SourceError
from webgpu_kit.source.model_files import external_locations, load_onnx_graph, suggest_names

MAX_UNPACKED_BYTES = 8 << 30
_MAX_METADATA_BYTES = 16 << 20


class _Reader(Protocol):
    """What zip and tar have in common, by member name: sizes of the plain files, links, and an open stream."""

    sizes: dict[str, int]
    links: set[str]

    def open(self, name: str) -> IO[bytes]: ...


class _ZipReader:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        self.sizes = {entry.filename: entry.file_size for entry in entries}
        self.links = {entry.filename for entry in entries if stat.S_ISLNK(entry.external_attr >> 16)}

    def open(self, name: str) -> IO[bytes]:
        return self._archive.open(name)


class _TarReader:
    """npm puts everything under one folder, mostly `package/`, which is no part of the names here."""

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self._members = {entry.name.partition("/")[2]: entry for entry in archive.getmembers()}
        self.sizes = {name: entry.size for name, entry in self._members.items() if entry.isfile() and name}
        self.links = {name for name, entry in self._members.items() if entry.issym() or entry.islnk()}

    def open(self, name: str) -> IO[bytes]:
        stream = self._archive.extractfile(self._members[name])
        if stream is None:
            raise SourceError(f"{name}: not a plain file in the package.", fix="name a file")
        return stream


class Archive:
    """An open package: names, and the bytes of named members."""

    def __init__(self, path: Path, reader: _Reader) -> None:
        self._path = path
        self._reader = reader

    def names(self) -> list[str]:
        """All plain files, sorted."""
        return sorted(self._reader.sizes)

    def read(self, name: str) -> bytes:
        """The bytes of one small member, such as its metadata."""
        with self._reader.open(name) as stream:
            return stream.read(_MAX_METADATA_BYTES)

    def select(self, inner: str, uri: str) -> list[str]:
        """The member named `inner`, or every member under the folder `inner`. Raises SourceError if none is."""
        _check_name(inner, uri)
        members = [name for name in self.names() if name == inner or name.startswith(inner + "/")]
        for name in (*members, *self._reader.links):
            if name == inner or name.startswith(inner + "/"):
                _check_name(name, uri)
                if name in self._reader.links:
                    raise SourceError(f"{uri}: '{name}' in {self._path.name} is a link.", fix="name a plain file")
        if not members:
            known = {
                str(parent) for name in self.names() for parent in (PurePosixPath(name), PurePosixPath(name).parent)
            }
            fix = suggest_names(inner, known - {"."})
            raise SourceError(f"{uri}: {self._path.name} has no '{inner}'.", fix=fix)
        return members

    def unpack(self, members: Sequence[str], folder: Path) -> None:
        """Write `members` into `folder` under their own names; an .onnx file brings its external data along."""
        total = sum(self._reader.sizes[name] for name in members)
        if total > MAX_UNPACKED_BYTES:
            raise SourceError(
                f"{self._path.name}: {total:,} bytes unpacked, at most {MAX_UNPACKED_BYTES:,} are allowed.",
                fix="name a single file or a smaller folder",
            )
        for name in members:
            self._unpack_member(name, folder)
        if len(members) == 1 and members[0].endswith(".onnx"):
            self._unpack_external_data(members[0], folder)

    def _unpack_member(self, name: str, folder: Path) -> None:
        target = folder.joinpath(*PurePosixPath(name).parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with self._reader.open(name) as stream, target.open("wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)

    def _unpack_external_data(self, name: str, folder: Path) -> None:
        path = folder.joinpath(*PurePosixPath(name).parts)
        try:
            locations = external_locations(load_onnx_graph(path))
        except SourceError:
            return  # the file is checked, and refused in full, once it lies in its place
        beside = PurePosixPath(name).parent
        wanted = {str(beside / location) for location in locations if ".." not in PurePosixPath(location).parts}
        found = sorted(wanted & set(self._reader.sizes) - self._reader.links)
        if found:
            self.unpack(found, folder)


def _check_name(name: str, uri: str) -> None:
    """Refuse names that could leave the folder they are unpacked into, on any platform."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or any(letter in part for letter in "\\:\0") for part in parts):
        raise SourceError(
            f"{uri}: '{name}' is not a plain path inside a package.", fix="name a path without '..' or ':'"
        )


@contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open the wheel or npm tarball at `path`. Raises SourceError when it is damaged."""
    try:
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as wheel:
                yield Archive(path, _ZipReader(wheel))
        else:
            with tarfile.open(path) as tarball:
                yield Archive(path, _TarReader(tarball))
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, RuntimeError) as error:
        raise SourceError(
            f"{path}: the package is damaged: {error}.", fix=f"delete {path.parent} to fetch again"
        ) from error
