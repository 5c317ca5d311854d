"""Findings as SARIF 2.1.0, as code scanning reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from schedsync import __version__
from schedsync.core.finding import CODES, Finding
from schedsync.lint import RULES, all_rules, explained
from schedsync.lint.rule import Rule
from schedsync.render.programs.json_ import dump
from schedsync.render.words import finding_text, printable

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
#: GitHub takes at most this many results of a run, and keeps the first 5,000.
MOST_RESULTS = 25_000
_LEVELS = {"error": "error", "warning": "warning", "info": "note"}
_SEVERITIES = {"error": "error", "warning": "warning", "info": "recommendation"}
#: Code scanning refuses a result without a place.
NOWHERE = "schedsync.toml"
#: The pages that belong to this release.
_DOCS = f"https://github.com/schedsync/schedsync/blob/v{__version__}/docs/reference"


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
        **({"helpUri": help_uri(code)} if code in CODES else {}),
        "help": _help(rules.get(code), code, summary),
        "defaultConfiguration": {"level": _LEVELS[severity]},
        "properties": {"problem.severity": _SEVERITIES[severity], "tags": ["schedules"]},
    }


def help_uri(code: str) -> str:
    """Return the address of the page that explains a code."""
    return f"{_DOCS}/rules/{code}.md" if code in RULES else f"{_DOCS}/findings.md"


def _help(rule: Rule | None, code: str, summary: str) -> dict[str, str]:
    """Return the page of a rule, which code scanning shows beside the finding; for other codes their meaning."""
    if rule is None:
        return {"text": f"{code}: {summary}"}
    page = "\n".join(explained(rule))
    return {"text": page, "markdown": page}


def _result(finding: Finding, index: int) -> dict[str, Any]:
    message = finding_text(finding) + (f"\n{finding.hint}" if finding.hint else "")
    path, line, column = finding.location or (NOWHERE, 1, 1)
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
