"""Findings as a JUnit report, which Jenkins, Bitbucket, Azure and others show as tests."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from schedsync.core.finding import Finding
from schedsync.render.words import finding_text, printable


def findings(found: Sequence[Finding], verb: str) -> str:
    """Write findings: an error is a test that failed, any other a skipped one. One test says that the verb ran.

    Jenkins takes a report without tests for a mistake.
    """
    errors = sum(finding.severity == "error" for finding in found)
    counts = {"tests": str(len(found) + 1), "failures": str(errors), "skipped": str(len(found) - errors)}
    suite = Element("testsuite", {"name": f"schedsync {verb}", **counts, "errors": "0", "time": "0"})
    SubElement(suite, "testcase", {"classname": "schedsync", "name": verb, "time": "0"})
    for finding in found:
        _add(suite, finding)
    suites = Element("testsuites")
    suites.append(suite)
    indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode")


def _add(suite: Element, finding: Finding) -> None:
    # Without the line, so that a report's history knows a finding that moved.
    file = printable(finding.location.path) if finding.location else "schedsync"
    place = printable(str(finding.location)) if finding.location else file
    message = finding_text(finding)
    case = SubElement(suite, "testcase", {"classname": file, "name": f"{finding.code} {message}", "time": "0"})
    hint = f"\nhint: {printable(finding.hint)}" if finding.hint else ""
    if finding.severity == "error":
        failure = SubElement(case, "failure", {"message": message, "type": finding.code})
        failure.text = f"{place}: {finding.code} {message}{hint}"
    else:
        SubElement(case, "skipped", {"message": f"{finding.severity}: {message}{hint}"})
