"""The reports that GitLab, Jenkins and others read, and what code scanning reads of a rule."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest
from junitparser import Failure, JUnitXml, Skipped, TestSuite

from schedsync.core.finding import Finding, naming_environments
from schedsync.core.location import Location
from schedsync.lint import RULES
from schedsync.render.programs import gitlab, junit, sarif
from tests.render.test_hostile import ATTACKS, hostile

#: The keys that GitLab's documentation requires of an entry, and the values that it knows.
CODE_QUALITY = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["description", "check_name", "fingerprint", "severity", "location"],
        "properties": {
            "description": {"type": "string", "minLength": 1},
            "check_name": {"type": "string", "minLength": 1},
            "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "severity": {"enum": ["info", "minor", "major", "critical", "blocker"]},
            "location": {
                "type": "object",
                "required": ["path", "lines"],
                "properties": {
                    "path": {"type": "string", "minLength": 1, "not": {"pattern": "^\\./"}},
                    "lines": {"required": ["begin"], "properties": {"begin": {"type": "integer", "minimum": 1}}},
                },
            },
        },
    },
}
ERROR = Finding("SS131", "minute: `61` is not within 0-59", Location("./schedules/a.yaml", 3, 28), "use 0 to 59")
WARNING = Finding("SS203", "both days", Location("schedules/a.yaml", 5, 1), None, "warning", (), ("staging",))
NOWHERE = Finding("SS164", "an apply would be refused", None, None, "info")


def test_a_code_quality_report_has_gitlabs_shape() -> None:
    said = json.loads(gitlab.findings([ERROR, WARNING, NOWHERE]))

    jsonschema.Draft7Validator(CODE_QUALITY).validate(said)
    assert [(one["check_name"], one["severity"], one["location"]) for one in said] == [
        ("SS131", "critical", {"path": "schedules/a.yaml", "lines": {"begin": 3}}),
        ("SS203", "minor", {"path": "schedules/a.yaml", "lines": {"begin": 5}}),
        ("SS164", "info", {"path": "schedsync.toml", "lines": {"begin": 1}}),
    ]
    assert said[0]["description"] == "minute: `61` is not within 0-59 (use 0 to 59)"
    assert said[1]["description"] == "both days (in staging)"
    assert json.loads(gitlab.findings([])) == []


def test_a_fingerprint_survives_a_moved_line_and_tells_equal_findings_apart() -> None:
    moved = replace(ERROR, location=Location("schedules/a.yaml", 9, 1))
    before, after = (json.loads(gitlab.findings(found)) for found in ([ERROR], [moved, moved]))

    assert before[0]["fingerprint"] == after[0]["fingerprint"]
    assert after[0]["fingerprint"] != after[1]["fingerprint"]


def test_a_junit_report_fails_for_errors_and_skips_the_rest() -> None:
    (suite,) = JUnitXml.fromstring(junit.findings([ERROR, WARNING, NOWHERE], "validate").encode())
    ran, failed, *skipped = suite

    assert isinstance(suite, TestSuite)
    assert (suite.name, suite.tests, suite.failures, suite.skipped) == ("schedsync validate", 4, 1, 2)
    assert (ran.name, ran.is_passed) == ("validate", True)
    assert (failed.classname, failed.name) == ("./schedules/a.yaml", "SS131 minute: `61` is not within 0-59")
    assert [type(result) for result in failed.result] == [Failure]
    assert "hint: use 0 to 59" in failed.result[0].text
    assert [type(one.result[0]) for one in skipped] == [Skipped, Skipped]
    assert skipped[0].result[0].message == "warning: both days (in staging)"


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_reports_hold_any_text(attack: str) -> None:
    found = [*hostile(attack).findings, Finding("SS164", attack or "x", None, attack, "warning")]
    said = json.loads(gitlab.findings(found))
    (suite,) = JUnitXml.fromstring(junit.findings(found, "review").encode())

    jsonschema.Draft7Validator(CODE_QUALITY).validate(said)
    assert suite.tests == 3
    assert not {"\x1b", "\u202e", "\u2028", "\x07", "\r"} & set(
        junit.findings(found, "review") + gitlab.findings(found)
    )


def test_sarif_brings_the_page_of_each_rule_and_its_address() -> None:
    said = json.loads(sarif.findings([WARNING, ERROR]))
    rules = {rule["id"]: rule for rule in said["runs"][0]["tool"]["driver"]["rules"]}

    assert rules["SS203"]["helpUri"].endswith("/docs/reference/rules/SS203.md")
    assert rules["SS203"]["help"]["markdown"].startswith("# SS203: ")
    assert RULES["SS203"].why in rules["SS203"]["help"]["text"]
    assert rules["SS131"]["helpUri"].endswith("/docs/reference/findings.md")
    assert rules["SS131"]["help"]["text"] == "SS131: an invalid crontab"
    assert [one["message"]["text"] for one in said["runs"][0]["results"]][-1] == "both days (in staging)"


def test_only_findings_that_differ_name_their_environments() -> None:
    named = naming_environments({"staging": [ERROR, NOWHERE], "production": [ERROR], "test": [NOWHERE, NOWHERE]})

    assert named == {
        ERROR: replace(ERROR, environments=("staging", "production")),
        NOWHERE: replace(NOWHERE, environments=("staging", "test")),
    }
    assert naming_environments({None: [ERROR]}) == {ERROR: ERROR}
    assert naming_environments({"a": [ERROR], "b": [ERROR]}) == {ERROR: ERROR}
