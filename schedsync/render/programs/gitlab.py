"""Findings as a Code Quality report of GitLab, which a merge request shows in its widget and beside the lines."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any

from schedsync.core.finding import Finding
from schedsync.render.programs.json_ import dump
from schedsync.render.programs.sarif import NOWHERE
from schedsync.render.words import finding_text, printable

_SEVERITIES = {"error": "critical", "warning": "minor", "info": "info"}


def findings(found: Iterable[Finding]) -> str:
    """Write findings; GitLab takes two for the same if their fingerprints are equal, in one report and in two."""
    seen: Counter[tuple[str, ...]] = Counter()
    return dump([_entry(finding, seen) for finding in found])


def _entry(finding: Finding, seen: Counter[tuple[str, ...]]) -> dict[str, Any]:
    path, line, _ = finding.location or (NOWHERE, 1, 1)
    path = path.removeprefix("./")
    # Without the line: a finding that moves down the file is no new one.
    key = (finding.code, path, finding.message, *finding.environments)
    number = seen[key]
    seen[key] += 1
    return {
        "description": finding_text(finding) + (f" ({printable(finding.hint)})" if finding.hint else ""),
        "check_name": finding.code,
        "fingerprint": hashlib.sha256("\0".join((*key, str(number))).encode("utf-8", "replace")).hexdigest(),
        "severity": _SEVERITIES[finding.severity],
        "location": {"path": printable(path), "lines": {"begin": max(1, line)}},
    }
