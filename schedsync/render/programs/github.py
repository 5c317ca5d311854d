"""Findings as GitHub's workflow commands; nothing in a finding can forge another command."""

from __future__ import annotations

from collections.abc import Iterable

from schedsync.core.finding import Finding
from schedsync.render.words import finding_text, printable

_LEVELS = {"error": "error", "warning": "warning", "info": "notice"}


def findings(found: Iterable[Finding]) -> str:
    """Write an annotation for each finding, the worst first: of one step GitHub shows the first ten of a kind."""
    return "\n".join(map(_annotation, sorted(found, key=lambda one: list(_LEVELS).index(one.severity))))


def _annotation(finding: Finding) -> str:
    properties = {"title": finding.code}
    if finding.location:
        path, line, column = finding.location
        properties |= {"file": path, "line": str(line), "col": str(column)}
    said = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    message = finding_text(finding) + (f"\nhint: {finding.hint}" if finding.hint else "")
    return f"::{_LEVELS[finding.severity]} {said}::{_data(message)}"


def _data(text: str) -> str:
    """Escape as the runner's toolkit does for a command's data."""
    said = "\n".join(printable(line) for line in text.split("\n"))
    return said.replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
