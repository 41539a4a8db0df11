"""`doctor` on this machine, and on machines that lack things."""

import json
import os
import shutil
from pathlib import Path

import pytest

from webgpu_kit import doctor
from webgpu_kit.browser import BrowserChoice
from webgpu_kit.doctor import inspect_machine
from webgpu_kit.errors import BrowserError
from webgpu_kit.report import DoctorReport


@pytest.fixture(scope="module")
def report() -> DoctorReport:
    return inspect_machine()


def states(report: DoctorReport) -> dict[str, str]:
    return {item.name: item.state for item in report.items}


def test_this_machine_can_do_the_main_job(report: DoctorReport) -> None:
    assert report.ok, [item for item in report.items if item.state == "missing"]
    found = states(report)
    assert found["Python"] == found["Browser"] == found["Cross-origin isolation"] == found["Browser runtime"] == "ok"
    assert {"node", "npm", "torch", "transformers", "optimum", "onnxruntime-genai", "Disk", "JSPI"} <= set(found)


def test_adapters_are_seen_with_features_and_limits(report: DoctorReport) -> None:
    assert report.adapters
    for adapter in report.adapters:
        assert adapter.features
        assert adapter.limits["maxStorageBufferBindingSize"] > 0
    kinds = [adapter.software for adapter in report.adapters]
    assert (states(report)["WebGPU on the GPU"] == "ok") is (False in kinds)
    assert (states(report)["WebGPU in software"] == "ok") is (True in kinds)


def test_every_lack_has_a_command(report: DoctorReport) -> None:
    assert all(item.fix for item in report.items if item.state != "ok")
    assert all(item.found for item in report.items)
    assert json.loads(report.model_dump_json())["ok"] is True


def test_a_bare_machine_is_reported_not_crashed_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def find_none(name: str | None) -> BrowserChoice:
        raise BrowserError("No Chrome, Edge or Chromium found on this machine.", fix="playwright install chromium")

    monkeypatch.setattr(doctor, "find_browser", find_none)
    monkeypatch.setattr(doctor, "read_version", lambda package: "")
    monkeypatch.setattr(doctor, "MIN_FREE_BYTES", 10**18)
    monkeypatch.setenv("PATH", str(tmp_path))
    report = inspect_machine()
    assert not report.ok
    assert report.exit_code == 1
    found = states(report)
    assert found["Browser"] == found["Disk"] == "missing"
    assert found["node"] == found["npm"] == found["torch"] == "optional"
    assert all(item.fix for item in report.items if item.state != "ok")


@pytest.mark.skipif(os.name == "nt", reason="makes a POSIX executable")
def test_broken_programs_are_findings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("chromium", "node", "npm"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{Path(shutil.which('sh') or '').parent}")
    monkeypatch.setattr(doctor, "find_browser", lambda name: BrowserChoice("chromium", tmp_path / "chromium"))
    items = {item.name: item for item in inspect_machine().items}
    assert items["Browser"].state == "missing"
    assert "did not start" in items["Browser"].found
    assert items["node"].state == items["npm"].state == "optional"


def test_a_folder_that_is_gone_is_a_finding(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    if os.name == "nt":
        pytest.skip("Windows does not remove the current folder")
    gone.rmdir()
    assert doctor._check_disk().state == "missing"
