"""Which texts can name a schedule, a task or a queue."""

from __future__ import annotations

import pytest

from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.files.names import check_name, message_text
from schedsync.files.node import Node
from schedsync.files.reporter import Reporter

PLACE = Location("a.yaml", 3, 5)


@pytest.mark.parametrize("name", ["nightly report", "Céleste", "celery", "cleanup", "夜間レポート", "n" * 200])
def test_a_name_may_be_any_text_in_one_line(name: str) -> None:
    findings: list[Finding] = []

    assert check_name(name, PLACE, Reporter("a.yaml", findings.append))
    assert findings == []


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("", "SS140", "a name must not be empty, nor begin or end with white space"),
        (" a", "SS140", "a name must not be empty, nor begin or end with white space"),
        ("a\u00a0", "SS140", "a name must not be empty, nor begin or end with white space"),
        ("é" * 201, "SS140", "a name of 201 characters; the table holds 200"),
        ("a\u2028b", "SS140", "a name with the control character U+2028"),
        ("Celery.x", "SS143", "`Celery.x` belongs to Beat itself"),
    ],
)
def test_any_other_name_is_reported_at_its_place(name: str, code: str, message: str) -> None:
    findings: list[Finding] = []

    assert not check_name(name, PLACE, Reporter("a.yaml", findings.append))
    assert [(finding.code, finding.message, finding.location) for finding in findings] == [(code, message, PLACE)]


@pytest.mark.parametrize(
    ("text", "expected", "messages"),
    [
        ("reports", "reports", []),
        ("bücher", "bücher", []),
        (3, None, []),
        ("é" * 201, None, ["`queue` of 201 characters; the table holds 1 to 200"]),
        ("a\tb", None, ["`queue` with the control character U+0009"]),
    ],
)
def test_a_text_of_a_message_fits_into_its_column_and_one_line(
    text: object, expected: str | None, messages: list[str]
) -> None:
    findings: list[Finding] = []

    assert message_text(Node(text, 6, 12), "queue", Reporter("a.yaml", findings.append)) == expected
    assert [finding.message for finding in findings] == messages
