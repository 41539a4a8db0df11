"""The wheel as a newcomer gets it: built from this checkout, installed elsewhere without the `export` extra, used."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[1]
CARRIED = "webgpu_kit/site_templates"
MADE_HERE = {
    ".venv",
    ".git",
    "site",
    "report",
    "build",
    "dist",
    "site_templates/node_modules",
    "site_templates/runtime",
}


def run(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=folder, env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "--quiet", "--wheel-dir", out], ROOT)
    (found,) = out.glob("webgpu_kit-*.whl")
    return found


@pytest.fixture(scope="module")
def home(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the checkout, with a virtual environment that holds the wheel and what it depends on."""
    home = tmp_path_factory.mktemp("home")
    venv.create(home / "venv", with_pip=True)
    lock = ROOT / "requirements.lock"
    run([find_program(home, "python"), "-m", "pip", "install", "--quiet", "-c", lock, wheel], home)
    return home


@pytest.fixture(scope="module")
def site(home: Path) -> Path:
    run([find_program(home, "webgpu-kit"), "build", "digits", "--out", "made"], home, clean_environment())
    return home / "made"


def clone(checkout: Path) -> Path:
    """This checkout as a fresh clone has it: nothing that was made here."""

    def leave_out(folder: str, names: list[str]) -> set[str]:
        inside = Path(folder).relative_to(ROOT)
        return {name for name in names if (inside / name).as_posix() in MADE_HERE or name == "__pycache__"}

    shutil.copytree(ROOT, checkout, ignore=leave_out)
    return checkout


def find_program(home: Path, name: str) -> Path:
    return home / "venv" / ("Scripts" if sys.platform == "win32" else "bin") / name


def clean_environment() -> dict[str, str]:
    """Ours without what could lead back to this checkout or to its virtual environment."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}


# What is inside


def test_the_wheel_carries_all_that_a_site_is_made_of(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder in ("kit", "pages"):
        ours = {path for path in (ROOT / "site_templates" / folder).rglob("*") if path.is_file()}
        assert ours
        assert {f"webgpu_kit/{path.relative_to(ROOT).as_posix()}" for path in ours} <= names
    for recipe in (ROOT / "models").glob("*/recipe.toml"):
        assert f"webgpu_kit/models/{recipe.parent.name}/recipe.toml" in names
    assert "webgpu_kit/models/digits/digits.onnx" in names
    ours = {path for path in (ROOT / "webgpu_kit").rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert {path.relative_to(ROOT).as_posix() for path in ours} <= names


def test_the_wheel_carries_the_three_builds_whole(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    runtime = json.loads(archive.read(f"{CARRIED}/runtime/runtime.json"))
    assert set(runtime["builds"]) == {"jspi", "asyncify", "wasm"}
    for build in runtime["builds"].values():
        for path in (build["module"], build["glue"], *(chunk["path"] for chunk in build["wasm"]["chunks"])):
            for suffix in ("", ".br", ".gz"):
                assert archive.getinfo(f"{CARRIED}/runtime/{path}{suffix}").file_size > 0
    assert archive.getinfo(f"{CARRIED}/runtime/{runtime['tokenizers']}").file_size > 0


def test_the_wheel_carries_the_licences(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (own,) = (name for name in archive.namelist() if re.fullmatch(r"[^/]*\.dist-info/licenses/LICENSE", name))
    assert b"Apache License" in archive.read(own)
    third_party = archive.read(f"{CARRIED}/runtime/LICENSES.txt").decode()
    assert "onnxruntime-web" in third_party
    assert "@huggingface/tokenizers" in third_party


def test_the_wheel_carries_nothing_else(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    for name in archive.namelist():
        assert name.startswith(("webgpu_kit/", "webgpu_kit-")), name
        assert not {"node_modules", "__pycache__", ".DS_Store", ".git"} & set(name.split("/")), name
        assert not name.endswith((".map", ".pyc", ".ts")), name
    # Two copies of the runtime would be more than this.
    assert wheel.stat().st_size < 60_000_000


def test_the_export_extra_is_an_extra(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    needed = [line for line in archive.read(metadata).decode().splitlines() if line.startswith("Requires-Dist")]
    heavy = [line for line in needed if re.search(r"\b(torch|transformers|optimum)\b", line)]
    assert heavy
    assert all("extra == 'export'" in line for line in heavy)


# How it is made


def test_an_sdist_needs_no_node(tmp_path: Path) -> None:
    checkout = clone(tmp_path / "checkout")
    # The runtime is made anew here, as on a fresh clone: npm fetches what the lock file fixes.
    run([sys.executable, "-m", "build", "--sdist", "--outdir", tmp_path, checkout], tmp_path)
    (sdist,) = tmp_path.glob("webgpu_kit-*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        archive.extractall(tmp_path / "unpacked")
    assert {
        "LICENSE",
        "README.md",
        "hatch_build.py",
        "site_templates/runtime/runtime.json",
        "tests/test_wheel.py",
    } <= names
    assert not any("node_modules" in name for name in names)
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    out = tmp_path / "wheel"
    without_npm = {**clean_environment(), "PATH": os.fspath(tmp_path)}
    run([sys.executable, "-m", "pip", "wheel", unpacked, "--no-deps", "--quiet", "-w", out], tmp_path, without_npm)
    assert list(out.glob("webgpu_kit-*.whl"))


def test_a_checkout_without_npm_is_told_what_to_do(tmp_path: Path) -> None:
    checkout = clone(tmp_path / "checkout")
    done = subprocess.run(
        [sys.executable, "-m", "pip", "wheel", ".", "--no-deps", "-w", str(tmp_path / "out")],
        cwd=checkout,
        env={**clean_environment(), "PATH": os.fspath(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "Fix: install Node.js 20 or newer" in done.stdout + done.stderr
    assert not (checkout / "site_templates" / "runtime").exists()


# How it works, installed


def test_it_is_not_this_checkout(home: Path) -> None:
    code = "import webgpu_kit, importlib.util as u; print(webgpu_kit.__file__); print(u.find_spec('torch'))"
    where, torch = run([find_program(home, "python"), "-c", code], home, clean_environment()).splitlines()
    assert Path(where).is_relative_to(home)
    assert torch == "None"


def test_it_builds_the_default_site(site: Path) -> None:
    manifest = json.loads((site / "model" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["name"] == "digits"
    assert manifest["variants"]
    for name in ("index.html", "main.js", "style.css", "kit/kit.js", "runtime/runtime.json", "runtime/LICENSES.txt"):
        assert (site / name).is_file()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C only to a console")
def test_it_serves_the_site_until_ctrl_c(home: Path, site: Path) -> None:
    command = [find_program(home, "webgpu-kit"), "serve", site, "--port", "0"]
    with subprocess.Popen(
        command, cwd=home, env=clean_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout
        found = re.search(r"http://localhost:\d+", server.stdout.readline())
        assert found
        connection = http.client.HTTPConnection(urlsplit(found[0]).netloc, timeout=10)
        connection.request("GET", "/")
        answer = connection.getresponse()
        page = answer.read()
        connection.close()
        server.send_signal(signal.SIGINT)
        _, errors = server.communicate(timeout=20)
    assert answer.status == 200
    assert answer.headers["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert b'id="kit-settings"' in page
    assert server.returncode == 0
    assert "Traceback" not in errors


def test_it_proves_the_site_right(home: Path, site: Path) -> None:
    # One variant, which every adapter runs: the others only compute with other numbers (test_check.py).
    command = [find_program(home, "webgpu-kit"), "check", site, "--variant", "q8", "--report", "proof", "--json"]
    report = json.loads(run(command, home, clean_environment()))
    assert report["ok"]
    verdicts = {(pair["variant"], pair["backend"]): pair["verdict"] for pair in report["pairs"]}
    assert verdicts == {("q8", "webgpu"): "passed", ("q8", "wasm"): "passed"}
    assert {world["name"] for world in report["worlds"]} >= {"no-webgpu", "not-isolated"}
    assert json.loads((home / "proof" / "report.json").read_text(encoding="utf-8"))["ok"]
    for name in ("report.html", "junit.xml"):
        assert (home / "proof" / name).is_file()
