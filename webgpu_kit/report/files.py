"""Writing a check's report: JSON for programs, HTML for people, JUnit XML for continuous integration."""

from __future__ import annotations

from pathlib import Path

from webgpu_kit.errors import CheckError
from webgpu_kit.report import CheckReport
from webgpu_kit.report.html import render_html
from webgpu_kit.report.junit import render_junit


def check_report_folder(folder: Path) -> None:
    """See, before the work, that a report can go into `folder`. Raises: CheckError."""
    if folder.exists() and not folder.is_dir():
        raise CheckError(f"{folder}: the report needs a folder, this is a file.", fix="--report another-folder")


def write_report(report: CheckReport, folder: Path) -> Path:
    """Write report.json, report.html, junit.xml and the screenshots into `folder`; gives the path of report.html.

    The folder is made where there is none; nothing else in it is touched.
    Raises: CheckError if it cannot be written.
    """
    check_report_folder(folder)
    files = {
        "report.json": report.model_dump_json(indent=2).encode() + b"\n",
        "report.html": render_html(report).encode(),
        "junit.xml": render_junit(report),
        **{page.screenshot: page.screenshot_png for page in report.pages if page.screenshot_png},
        **{page.phone_screenshot: page.phone_screenshot_png for page in report.pages if page.phone_screenshot_png},
        **{picture.file: picture.png for page in report.pages for picture in page.pictures if picture.png},
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise CheckError(f"{folder}: the report cannot be written: {error.strerror}.", fix="--report folder") from error
    return folder / "report.html"
