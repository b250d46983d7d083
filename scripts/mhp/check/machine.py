# SPDX-License-Identifier: GPL-2.0
"""The results for other programs: JSON, and JUnit's XML."""

import json
import xml.etree.ElementTree as xml
from collections.abc import Mapping, Sequence

from mhp.check.model import Report, Result, Status, to_json
from mhp.check.series import Series
from mhp.progress import plain


def as_json(series: Series, results: Sequence[Result], about: Mapping[str, str]) -> str:
    """All there is to know, as one object: about, patches, results."""
    return json.dumps({
        **about,
        "patches": [{"number": patch.number, "name": patch.name, "subject": patch.subject, "files": patch.paths}
                    for patch in series.patches],
        "results": [{"check": result.check, "patch": result.patch, "status": str(result.status),
                     "line": result.report.line, "seconds": round(result.seconds, 3), "cached": result.cached,
                     "repeat": result.repeat, **to_json(result.report)} for result in results]},
        indent=1) + "\n"


def as_junit(results: Sequence[Result]) -> str:
    """A test suite for each check, a test case for each patch. A warning is a case that passed, with output."""
    top = xml.Element("testsuites", name="scripts/check")
    for name in dict.fromkeys(result.check for result in results):
        mine = [result for result in results if result.check == name]
        suite = xml.SubElement(
            top, "testsuite", name=name, tests=str(len(mine)),
            failures=str(sum(result.status == Status.FAIL for result in mine)),
            skipped=str(sum(result.status == Status.SKIP for result in mine)),
            time=f"{sum(result.seconds for result in mine):.3f}")
        for result in mine:
            case = xml.SubElement(suite, "testcase", classname=name, time=f"{result.seconds:.3f}",
                                  name=f"patch {result.patch}" if result.patch else "series")
            _fill(case, result)
    xml.indent(top)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + xml.tostring(top, encoding="unicode") + "\n"


def _fill(case: xml.Element, result: Result) -> None:
    text = plain(details(result.report))
    if result.status == Status.FAIL:
        xml.SubElement(case, "failure", message=plain(result.report.line)).text = text
    elif result.status == Status.SKIP:
        xml.SubElement(case, "skipped", message=plain(result.report.line))
    elif result.status == Status.WARN:
        xml.SubElement(case, "system-out").text = text


def details(report: Report) -> str:
    """All findings, what was left out and all notes as text."""
    lines = []
    for finding in report.findings:
        lines.append(f"{finding.level}: {finding.where}{': ' if finding.where else ''}{finding.text}")
        lines += [f"  {line}" for line in finding.details.splitlines()]
    return "\n".join([*lines, *(f"left out: {what}" for what in report.left_out), *report.notes])
