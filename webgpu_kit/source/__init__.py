"""Fetch a model's files: from a path, the Hugging Face hub, a PyPI or npm package, or https.

The only module that uses the network. What it fetches lies in one cache, each thing under its exact name and
version, whole or not at all. Nothing fetched is run or unpickled.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any

from webgpu_kit.artifacts import Progress, Source
from webgpu_kit.errors import SourceError
from webgpu_kit.source.archives import Archive, open_archive
from webgpu_kit.source.model_files import check_model_files, hash_model_files, read_card_license, suggest_names

URI_FORMS = (
    "a path to an .onnx file, a .gguf file or a Hugging Face folder; org/name; hf:org/name@revision; "
    "pypi:package==version/path/in/wheel; npm:package@version/path/in/package; https://..."
)
HUB_PATTERNS = ["*.json", "*.txt", "*.md", "*.jinja", "*.model", "*.safetensors"]
HUB_FIX = (
    "connect; or point HF_ENDPOINT at a mirror; or fetch it on another machine and give the folder; "
    "or fill the hub's cache there, copy it here (HF_HOME) and set HF_HUB_OFFLINE=1"
)
_HUB_NAME = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w./-]+))?")
_PYPI_NAME = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*)==(?P<version>[A-Za-z0-9][\w.!+-]*)/(?P<path>.+)")
_NPM_NAME = re.compile(
    r"(?P<name>(?:@[a-z0-9][\w.~-]*/)?[a-z0-9][\w.~-]*)@(?P<version>\d+\.\d+\.\d+[\w.+-]*)/(?P<path>.+)"
)
_WHEEL_PYTHONS = ("3.14", "3.13", "3.12", "3.11", "3.10")
_TIMEOUT_SECONDS = 60
_PROGRESS_BYTES = 32 << 20


@dataclass(frozen=True)
class _Files:
    """Local files, with what is known about them; '' where nothing is."""

    path: Path
    revision: str = ""
    license: str = ""


def fetch_source(uri: str, *, base: Path, sha256: str | None = None, progress: Progress) -> Source:
    """Bring the model that `uri` names onto this machine and check its files.

    `base` is the folder that relative paths start from; `sha256` is what the recipe promises, if it does.
    Raises: SourceError, with the next step in `fix`.
    """
    try:
        files = _fetch_files(uri, base, sha256, progress)
        kind = check_model_files(files.path)
        digest = hash_model_files(files.path)
    except OSError as error:
        raise SourceError(f"{uri}: {error}.", fix="check the path, its permissions and the free disk space") from error
    if sha256 and digest != sha256.lower():
        raise SourceError(
            f"{uri}: the sha256 of {files.path} is {digest}, but the recipe gives {sha256}.",
            fix="put the new sha256 into the recipe if these are the files you want; else delete them and fetch again",
        )
    folder = files.path if kind == "folder" else files.path.parent
    license_ = read_card_license(folder) or files.license or "unknown"
    return Source(uri, files.revision or digest[:12], digest, kind, files.path, license_)


def _fetch_files(uri: str, base: Path, sha256: str | None, progress: Progress) -> _Files:
    scheme, colon, rest = uri.partition(":")
    if colon and scheme == "hf":
        return _fetch_hub(uri, rest, progress)
    if colon and scheme == "pypi":
        return _fetch_package(uri, _PYPI_NAME.fullmatch(rest), "pypi:package==version/path", _download_wheel, progress)
    if colon and scheme == "npm":
        return _fetch_package(uri, _NPM_NAME.fullmatch(rest), "npm:package@1.2.3/path", _download_tarball, progress)
    if scheme == "https":
        return _fetch_url(uri, sha256, progress)
    if colon and len(scheme) > 1 and not (base / uri).exists():  # one letter is a Windows drive
        raise SourceError(f"{uri}: sources of the kind '{scheme}:' are not supported.", fix=f"use {URI_FORMS}")
    path = base / Path(uri).expanduser()
    if path.exists():
        return _Files(path)
    existing = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    is_typing_error = bool(difflib.get_close_matches(path.name, existing, cutoff=0.8))
    if _HUB_NAME.fullmatch(uri) and path.suffix not in (".onnx", ".gguf") and not is_typing_error:
        return _fetch_hub(uri, uri, progress)
    raise SourceError(f"{uri}: there is no such file or folder ({path}).", fix=suggest_names(path.name, existing))


# --- the cache ------------------------------------------------------------------------------------------------


def find_cache_folder() -> Path:
    """Where fetched files are kept: WEBGPU_KIT_CACHE, else `webgpu-kit` in the platform's cache folder."""
    if chosen := os.environ.get("WEBGPU_KIT_CACHE"):
        return Path(chosen).expanduser().absolute()
    if sys.platform == "win32":
        parent = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        parent = Path.home() / "Library" / "Caches"
    else:
        parent = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return parent / "webgpu-kit"


@contextmanager
def _new_entry(target: Path) -> Iterator[Path]:
    """Give a scratch folder that becomes `target` with one rename when the block ends well."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=".part-", dir=target.parent))
    except OSError as error:
        raise SourceError(
            f"{target.parent}: the cache cannot be written: {error}.",
            fix="set WEBGPU_KIT_CACHE to a folder you may write",
        ) from error
    try:
        yield scratch
        if not target.exists():
            scratch.rename(target)
    except OSError:
        if not target.exists():  # else another process was faster, and its entry is as good
            raise
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, encoding="utf-8", errors="replace")


# --- packages -------------------------------------------------------------------------------------------------

_Download = Callable[[str, str, Path, Progress], None]


def _fetch_package(uri: str, parts: re.Match[str] | None, form: str, download: _Download, progress: Progress) -> _Files:
    """Download the package once, and unpack only what `uri` names in it."""
    if parts is None:
        raise SourceError(f"{uri}: not a package file with an exact version.", fix=f"write {form}")
    name, version, inner = parts["name"], parts["version"], parts["path"].strip("/")
    kind = uri.partition(":")[0]
    entry = find_cache_folder() / kind / f"{name.replace('/', '+')}=={version}"
    if not entry.is_dir():
        with _new_entry(entry) as scratch:
            download(name, version, scratch, progress)
    package = next(file for file in sorted(entry.iterdir()) if file.suffix in (".whl", ".tgz"))
    unpacked = entry / hashlib.sha256(inner.encode()).hexdigest()[:16]
    with open_archive(package) as archive:
        members = archive.select(inner, uri)
        if not unpacked.is_dir():
            with _new_entry(unpacked) as scratch:
                archive.unpack(members, scratch)
        license_ = _read_package_license(archive)
    return _Files(unpacked / inner, version, license_)


def _download_wheel(name: str, version: str, folder: Path, progress: Progress) -> None:
    """Run `pip download`; a wheel made for another Python is still only a box of files, so ask for those too."""
    progress(f"pip download {name}=={version}")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--dest", str(folder), f"{name}=={version}"]
    done = _run(command, folder)
    if done.returncode != 0 and "No matching distribution" in done.stderr and "Retrying" not in done.stderr:
        for python in _WHEEL_PYTHONS:
            again = _run([*command, "--python-version", python], folder)
            if again.returncode == 0:
                return
    if done.returncode != 0 and "No module named pip" in done.stderr:
        raise SourceError(f"{sys.executable}: has no pip.", fix=f"{sys.executable} -m ensurepip")
    if done.returncode != 0:
        reason = "the package index did not answer." if "Retrying" in done.stderr else _first_error(done.stderr)
        raise SourceError(
            f"pypi:{name}=={version}: pip could not download it: {reason}",
            fix=f"check the name, version and network: {sys.executable} -m pip download --no-deps {name}=={version}",
        )


def _download_tarball(name: str, version: str, folder: Path, progress: Progress) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SourceError(f"npm:{name}@{version}: npm is not on the PATH.", fix="install Node.js, which brings npm")
    progress(f"npm pack {name}@{version}")
    done = _run([npm, "pack", "--ignore-scripts", f"{name}@{version}"], folder)
    if done.returncode != 0:
        raise SourceError(
            f"npm:{name}@{version}: npm could not fetch it: {_first_error(done.stderr)}",
            fix=f"check the name, version and network: npm view {name} versions",
        )


def _first_error(output: str) -> str:
    """The line of a tool's output that says most: its first one marked as an error, else its last."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    marked = [line for line in lines if re.match(r"ERROR: (?!Ignored )|npm error (?!code )", line)]
    return (marked + lines[-1:] + ["it gave no reason"])[0].rstrip(".") + "."


def _read_package_license(archive: Archive) -> str:
    """The licence that the package's own metadata name, or ''."""
    for name in archive.names():
        if re.fullmatch(r"[^/]+\.dist-info/METADATA", name):
            return _read_wheel_license(archive.read(name))
        if name == "package.json":
            return _read_npm_license(archive.read(name))
    return ""


def _read_npm_license(package_json: bytes) -> str:
    try:
        stated: Any = json.loads(package_json)["license"]
    except (ValueError, KeyError, TypeError):
        return ""
    return str(stated.get("type", "") if isinstance(stated, dict) else stated)


def _read_wheel_license(metadata: bytes) -> str:
    fields = BytesHeaderParser().parsebytes(metadata)
    stated = str(fields.get("License-Expression") or fields.get("License") or "").strip()
    if stated and "\n" not in stated:  # some put the whole text of the licence there
        return stated
    classifiers = [str(value) for value in fields.get_all("Classifier", [])]
    named = [value.rpartition("::")[2].strip() for value in classifiers if value.startswith("License ::")]
    return ", ".join(named)


# --- the Hugging Face hub -------------------------------------------------------------------------------------


def _fetch_hub(uri: str, rest: str, progress: Progress) -> _Files:
    parts = _HUB_NAME.fullmatch(rest)
    if parts is None:
        raise SourceError(f"{uri}: not a hub id.", fix="write hf:org/name or hf:org/name@revision")
    name, revision = parts["name"], parts["revision"]
    progress(f"fetch {name}{'@' + revision if revision else ''} from the Hugging Face hub")
    import huggingface_hub
    from huggingface_hub import errors

    nowhere = "" if uri.startswith("hf:") else "there is no such file or folder here, and "
    try:
        folder = huggingface_hub.snapshot_download(name, revision=revision, allow_patterns=HUB_PATTERNS)
    except errors.GatedRepoError as error:
        raise SourceError(
            f"{uri}: the model is gated.", fix="accept its terms on the hub, then: hf auth login"
        ) from error
    except errors.RevisionNotFoundError as error:
        raise SourceError(
            f"{uri}: '{name}' has no revision '{revision}'.", fix="name a branch, tag or commit"
        ) from error
    except errors.RepositoryNotFoundError as error:
        fix = "check the spelling; for a private model: hf auth login"
        raise SourceError(f"{uri}: {nowhere}the hub knows no model '{name}'.", fix=fix) from error
    except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled) as error:
        raise SourceError(
            f"{uri}: {nowhere}the Hugging Face hub cannot be reached, and its cache on this machine has no whole copy.",
            fix=HUB_FIX,
        ) from error
    except errors.HfHubHTTPError as error:
        raise SourceError(f"{uri}: the hub answered: {str(error).splitlines()[0]}.", fix="try again later") from error
    except errors.HFValidationError as error:
        raise SourceError(
            f"{uri}: '{name}' is not a hub id.", fix="write hf:org/name or hf:org/name@revision"
        ) from error
    return _Files(Path(folder), Path(folder).name)  # the cache names each snapshot by its commit


# --- https ----------------------------------------------------------------------------------------------------


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to https only."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> urllib.request.Request | None:
        if not newurl.startswith("https://"):
            raise SourceError(f"{req.full_url}: redirects to {newurl}, which is not https.", fix="give an https link")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch_url(uri: str, sha256: str | None, progress: Progress) -> _Files:
    """Download one file. A link's content can change, so a cached copy serves only where sha256 proves it."""
    address = urllib.parse.urlsplit(uri)
    name = Path(urllib.parse.unquote(address.path)).name
    if address.scheme != "https" or not address.hostname or not name:
        raise SourceError(f"{uri}: not the link of a file.", fix="give a link like https://host/folder/model.onnx")
    entry = find_cache_folder() / "https" / hashlib.sha256(uri.encode()).hexdigest()[:16]
    if entry.is_dir() and sha256 and hash_model_files(entry / name) == sha256.lower():
        return _Files(entry / name)
    with _new_entry(entry) as scratch:
        _download(uri, scratch / name, progress)
        shutil.rmtree(entry, ignore_errors=True)  # the copy before this one, which nothing vouches for
    return _Files(entry / name)


def _download(uri: str, path: Path, progress: Progress) -> None:
    progress(f"fetch {uri}")
    opener = urllib.request.build_opener(_SecureRedirects)
    request = urllib.request.Request(uri, headers={"User-Agent": "webgpu-kit", "Accept-Encoding": "identity"})
    try:
        with opener.open(request, timeout=_TIMEOUT_SECONDS) as response, path.open("wb") as file:
            size_bytes = _copy_stream(response, file, progress)
            promised = response.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        raise SourceError(f"{uri}: the server answered {error.code} {error.reason}.", fix="check the link") from error
    except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError) as error:
        reason = getattr(error, "reason", error)
        fix = "check the link and the network, or fetch the file yourself and give its path"
        raise SourceError(f"{uri}: could not be fetched: {reason}.", fix=fix) from error
    if promised is not None and size_bytes != int(promised):
        raise SourceError(f"{uri}: only {size_bytes:,} of {int(promised):,} bytes arrived.", fix="try again")


def _copy_stream(response: Any, file: IO[bytes], progress: Progress) -> int:
    total = int(response.headers.get("Content-Length") or 0)
    size_bytes = reported = 0
    while block := response.read(1 << 20):
        file.write(block)
        size_bytes += len(block)
        if size_bytes - reported >= _PROGRESS_BYTES:
            reported = size_bytes
            progress(f"fetched {size_bytes / 1e6:.0f} MB" + (f" of {total / 1e6:.0f} MB" if total else ""))
    return size_bytes
