"""Findings as SARIF 2.1.0, as code scanning reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from schedsync import __version__
from schedsync.core.finding import CODES, RULE_CODES, Finding
from schedsync.lint import all_rules
from schedsync.render.json_ import dump
from schedsync.render.words import printable

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
#: GitHub takes so many results of a run, and keeps the first 5,000.
MOST_RESULTS = 25_000
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_SEVERITIES = {"error": "error", "warning": "warning", "info": "recommendation"}
#: Code scanning refuses a result without a place.
_NOWHERE = "schedsync.toml"


def findings(found: Sequence[Finding]) -> str:
    """Write findings, the worst first; what stands in no file is put on the configuration."""
    chosen = sorted(found, key=lambda one: list(_LEVELS).index(one.severity))[:MOST_RESULTS]
    codes = sorted({one.code for one in chosen})
    severities = {one.code: one.severity for one in reversed(chosen)}
    run = {
        "tool": {
            "driver": {
                "name": "schedsync",
                "semanticVersion": __version__,
                "rules": [_rule(code, severities[code]) for code in codes],
            }
        },
        "automationDetails": {"id": "schedsync/"},
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, codes.index(one.code)) for one in chosen],
    }
    return dump({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def _rule(code: str, severity: str) -> dict[str, Any]:
    rules = all_rules()
    summary = (rules[code].summary if code in rules else CODES.get(code, code)).replace("`", "")
    return {
        "id": code,
        "shortDescription": {"text": summary},
        "fullDescription": {"text": summary},
        "help": {"text": f"`schedsync rules {code}` explains it." if code in RULE_CODES or code in rules else summary},
        "defaultConfiguration": {"level": _LEVELS[severity]},
        "properties": {"problem.severity": _SEVERITIES[severity], "tags": ["schedules"]},
    }


def _result(finding: Finding, index: int) -> dict[str, Any]:
    message = finding.message + (f"\n{finding.hint}" if finding.hint else "")
    path, line, column = finding.location or (_NOWHERE, 1, 1)
    return {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": _LEVELS[finding.severity],
        "message": {"text": "\n".join(_plain(part) for part in message.split("\n"))},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(path.removeprefix("./"), safe="/")},
                    "region": {"startLine": line, "startColumn": column, "endLine": line, "endColumn": column + 1},
                }
            }
        ],
    }


def _plain(text: str) -> str:
    """Return text in which nothing is a link: SARIF, section 3.11.6, reads brackets as such."""
    return printable(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")
