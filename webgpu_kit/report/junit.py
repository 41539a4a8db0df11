"""A check's report as JUnit XML, for continuous integration: one test case for each pair and each world."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from webgpu_kit.report import AnyResult, CheckReport

# XML 1.0 has no way to write these at all, and a page's console may hold any of them.
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(report: CheckReport) -> bytes:
    """The report as a JUnit document."""
    suites = ElementTree.Element("testsuites")
    unverified_fails = report.strict
    failures = report.count("failed") + (report.count("not-verified") if unverified_fails else 0)
    skipped = 0 if unverified_fails else report.count("not-verified")
    totals = {
        "name": f"webgpu-kit check {report.site.name}",
        "tests": str(len(report.results)),
        "failures": str(failures),
        "errors": "0",
        "skipped": str(skipped),
        "time": f"{report.duration_s:.1f}",
    }
    suites.attrib.update({key: _clean(value) for key, value in totals.items()})
    suite = ElementTree.SubElement(suites, "testsuite", suites.attrib, timestamp=report.started, hostname="localhost")
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in _list_properties(report).items():
        ElementTree.SubElement(properties, "property", name=name, value=_clean(value))
    for result in report.results:
        _add_case(suite, report, result)
    ElementTree.indent(suites)
    document: bytes = ElementTree.tostring(suites, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _add_case(suite: ElementTree.Element, report: CheckReport, result: AnyResult) -> None:
    case = ElementTree.SubElement(
        suite,
        "testcase",
        name=_clean(result.title),
        classname=_clean(f"webgpu-kit.{report.site.name}"),
        time=f"{result.duration_ms / 1000:.3f}",
    )
    message = _clean(result.reason)
    if result.verdict == "failed" or (result.verdict == "not-verified" and report.strict):
        failure = ElementTree.SubElement(case, "failure", message=message, type=result.verdict)
        problems = result.page.problems if result.page else []
        lines = [f"{problem.kind}: {problem.text} {problem.where}".rstrip() for problem in problems]
        failure.text = _clean("\n".join([message, *lines]))
    elif result.verdict == "not-verified":
        ElementTree.SubElement(case, "skipped", message=message)


def _list_properties(report: CheckReport) -> dict[str, str]:
    adapter = report.browser.adapter
    return {
        "verdict": report.verdict,
        "browser": report.browser.title,
        "webgpu": report.browser.webgpu,
        "adapter": adapter.title if adapter else "none",
        "machine": report.machine,
    }


def _clean(text: str) -> str:
    return NOT_XML.sub("\ufffd", text)
