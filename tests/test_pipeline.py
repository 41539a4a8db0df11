from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import webgpu_kit
from webgpu_kit import pipeline, site
from webgpu_kit.errors import BundleError, KitError, QuantizeError
from webgpu_kit.manifest import read_manifest
from webgpu_kit.site import MARKER

WriteOnnx = Callable[..., Path]
SMALL = "(float[n, 4] x) => (float[n, 4] y) { y = Relu(x) }"


def list_files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_source_builds_the_same_bytes(write_onnx: WriteOnnx, tmp_path: Path) -> None:
    path = write_onnx(SMALL)
    first, second = (webgpu_kit.build(path, out=tmp_path / name) for name in ("one", "two"))
    assert list_files(first.path) == list_files(second.path)


def test_a_variant_that_misses_its_threshold_is_not_shipped(tmp_path: Path) -> None:
    made = pipeline.build_recipe(
        pipeline.find_recipe(
            "digits", pipeline.models_folder(), {"dtypes": ["q4", "fp32"], "thresholds": {"q4": 1e-6}}
        ),
        tmp_path / "site",
        lambda line: None,
    )
    assert [variant.name for variant in made.site.manifest.variants] == ["fp32"]
    assert "times its threshold 1e-06" in made.rejected["q4"]


def test_no_variant_left_is_an_error_and_the_old_site_stays(digits_site: Path) -> None:
    before = list_files(digits_site)
    with pytest.raises(QuantizeError, match=r"no variant can be shipped(.|\n)*q4: probability_error"):
        webgpu_kit.build("digits", out=digits_site, dtypes=["q4"], thresholds={"q4": 1e-6})
    assert list_files(digits_site) == before


def test_a_new_build_replaces_the_site_and_keeps_files_of_others(digits_site: Path, write_onnx: WriteOnnx) -> None:
    (digits_site / "CNAME").write_text("example.org")
    (digits_site / "samples" / "mine.txt").write_text("mine")
    webgpu_kit.build(write_onnx(SMALL), out=digits_site)
    assert read_manifest(digits_site).task == "tensor"
    assert (digits_site / "CNAME").read_text() == "example.org"
    assert [path.name for path in (digits_site / "samples").iterdir()] == ["mine.txt"]
    assert not list(digits_site.parent.glob(".site.building-*"))


class TestTargets:
    def test_a_folder_that_is_not_ours_is_left_alone(self, tmp_path: Path, write_onnx: WriteOnnx) -> None:
        mine = tmp_path / "thesis"
        mine.mkdir()
        (mine / "chapter.txt").write_text("years of work")
        with pytest.raises(BundleError, match="holds files that webgpu-kit did not make"):
            webgpu_kit.build(write_onnx(SMALL), out=mine)
        assert list_files(mine) == {"chapter.txt": b"years of work"}

    def test_a_file_is_left_alone(self, tmp_path: Path, write_onnx: WriteOnnx) -> None:
        (tmp_path / "site").write_text("a file")
        with pytest.raises(BundleError, match="is a file, not a folder"):
            webgpu_kit.build(write_onnx(SMALL), out=tmp_path / "site")

    def test_a_symbolic_link_is_left_alone(self, tmp_path: Path, write_onnx: WriteOnnx) -> None:
        (tmp_path / "real").mkdir()
        (tmp_path / "site").symlink_to(tmp_path / "real")
        with pytest.raises(BundleError, match="is a symbolic link"):
            webgpu_kit.build(write_onnx(SMALL), out=tmp_path / "site")

    @pytest.mark.skipif(sys.platform != "linux", reason="/proc is a folder that even root cannot write")
    def test_a_place_that_cannot_be_written(self, write_onnx: WriteOnnx) -> None:
        with pytest.raises(BundleError, match=r"^/proc/webgpu-kit-site: "):
            webgpu_kit.build(write_onnx(SMALL), out="/proc/webgpu-kit-site")

    def test_an_empty_folder_is_taken(self, tmp_path: Path, write_onnx: WriteOnnx) -> None:
        (tmp_path / "site").mkdir()
        assert (webgpu_kit.build(write_onnx(SMALL), out=tmp_path / "site").path / MARKER).is_file()


@pytest.mark.parametrize("stage", ["write_bundle", "render_site"])
def test_a_full_disk_leaves_the_old_site(
    digits_site: Path, write_onnx: WriteOnnx, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    # A disk cannot be filled in a test: the write that fails is the only part that is played.
    def fail(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "chunk.bin")

    if stage == "write_bundle":
        monkeypatch.setattr(Path, "write_bytes", fail)
    else:
        monkeypatch.setattr(site.shutil, "copytree", fail)
    before = list_files(digits_site)
    with pytest.raises(BundleError, match="No space left on device") as caught:
        webgpu_kit.build(write_onnx(SMALL), out=digits_site)
    assert "free some space" in caught.value.fix
    assert list_files(digits_site) == before
    assert not list(digits_site.parent.glob(".site.building-*"))


KILLED_BUILD = """
import sys, time
from webgpu_kit import pipeline
real = pipeline.render_site
def slow(*arguments):
    print("writing", flush=True)
    time.sleep(60)
    return real(*arguments)
pipeline.render_site = slow
from webgpu_kit.cli import main
sys.argv = ["webgpu-kit", "build", "digits", "--out", sys.argv[1]]
main()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_a_build_ended_half_way_leaves_the_old_site(digits_site: Path, number: signal.Signals) -> None:
    before = list_files(digits_site)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED_BUILD, str(digits_site)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "writing\n"
    assert list(digits_site.parent.glob(".site.building-*"))
    process.send_signal(number)
    errors = process.communicate(timeout=30)[1]
    assert process.returncode != 0 and list_files(digits_site) == before
    if number == signal.SIGINT:
        assert "Stopped" in errors and "Traceback" not in errors and process.returncode == 130
        assert not list(digits_site.parent.glob(".site.building-*"))
    webgpu_kit.build("digits", out=digits_site, dtypes=["fp32"])
    assert not list(digits_site.parent.glob(".site.building-*")), "the next build clears what a killed one left"


def test_two_builds_at_once_do_not_clear_each_others_folders(tmp_path: Path) -> None:
    with site.staging_folder(tmp_path / "site") as one, site.staging_folder(tmp_path / "site") as two:
        assert one != two and one.is_dir() and two.is_dir()


def test_the_swap_is_one_step_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for exchange in (site._exchange, lambda first, second: False):
        monkeypatch.setattr(site, "_exchange", exchange)
        for name in ("new", "old"):
            (tmp_path / name).mkdir()
            (tmp_path / name / "which").write_text(name)
        site._swap(tmp_path / "new", tmp_path / "old")
        assert (tmp_path / "old" / "which").read_text() == "new"
        shutil.rmtree(tmp_path / "old")
        shutil.rmtree(tmp_path / "new", ignore_errors=True)


def test_a_torch_module_is_built_from_python(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 3)).eval()
    made = webgpu_kit.build((net, {"input": torch.randn(1, 64)}), out=tmp_path / "site", dtypes=["q8", "fp32"])
    assert [variant.name for variant in made.manifest.variants] == ["q8", "fp32"]
    assert made.manifest.source.uri == "module:Sequential"


def test_progress_is_told(write_onnx: WriteOnnx, tmp_path: Path) -> None:
    lines: list[str] = []
    webgpu_kit.build(write_onnx(SMALL), out=tmp_path / "site", progress=lines.append)
    assert any("golden" in line for line in lines) and lines[-1] == "writing the site"


def test_a_running_build_is_not_mistaken_for_a_dead_one(tmp_path: Path) -> None:
    assert site._is_alive(os.getpid())
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    time.sleep(0.05)
    assert not site._is_alive(process.pid)


def test_errors_are_ours(tmp_path: Path) -> None:
    with pytest.raises(KitError):
        webgpu_kit.build(tmp_path / "absent.onnx", out=tmp_path / "site")
    assert not (tmp_path / "site").exists()
