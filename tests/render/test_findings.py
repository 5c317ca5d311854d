"""Findings as text: columns that line up, the worst first, and below an error the line of the file with carets."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.render.terminal.findings import findings, severities_text

INFO = Finding("SS202", "an hour occurs twice", Location("a.yaml", 2, 3), severity="info")
WARNING = Finding("SS214", "disabled without a reason", Location("a.yaml", 10, 14), "add one", "warning")
ERROR = Finding("SS120", "unknown key `evry`", Location("a.yaml", 70, 5), "did you mean `every`?")
NOWHERE = Finding("SS310", "migrations are missing")


def excerpted(text: str, column: int = 1, code: str = "SS121", width: int = 100) -> list[str]:
    """Return the lines below a finding at a column of a line of a file."""
    finding = Finding(code, "wrong", Location("a.yaml", 7, column))
    return findings([finding], excerpt=lambda _: text, width=width).splitlines()[1:]


def test_errors_come_first_and_columns_line_up() -> None:
    assert findings([INFO, WARNING, ERROR]).splitlines() == [
        "a.yaml:70:5:  error    SS120  unknown key `evry`",
        "  hint: did you mean `every`?",
        "a.yaml:10:14: warning  SS214  disabled without a reason",
        "  hint: add one",
        "a.yaml:2:3:   info     SS202  an hour occurs twice",
    ]


def test_a_place_is_followed_by_a_colon_and_a_blank() -> None:
    lines = findings([ERROR, WARNING, INFO]).splitlines()[::2]

    assert [line.partition(": ")[0] for line in lines] == ["a.yaml:70:5", "a.yaml:10:14", "a.yaml:2:3"]


def test_a_finding_without_a_place_begins_with_its_severity() -> None:
    assert findings([NOWHERE, ERROR]).splitlines()[0] == "error  SS310  migrations are missing"


def test_a_long_place_moves_no_other_line() -> None:
    long = Finding("SS101", "broken", Location("x" * 60, 1, 1))
    lines = findings([long, ERROR]).splitlines()

    assert lines[0] == f"{'x' * 60}:1:1: error  SS101  broken"
    assert lines[1] == "a.yaml:70:5: error  SS120  unknown key `evry`"


def test_a_place_takes_at_most_half_of_a_narrow_terminal() -> None:
    long = Finding("SS101", "broken", Location("x" * 40, 1, 1))

    assert findings([long, ERROR], width=60).splitlines()[1].startswith("a.yaml:70:5: error")
    assert findings([long, ERROR], width=100).splitlines()[1].startswith(f"a.yaml:70:5:{' ' * 33} error")


def test_severities_have_a_colour_and_a_word() -> None:
    painted = findings([ERROR, WARNING, INFO], lambda text, style: f"<{style}>{text}</>").splitlines()[::2]

    assert painted == [
        "<dim>a.yaml:70:5:</>  <red>error</>    <red>SS120</>  unknown key `evry`",
        "<dim>a.yaml:10:14:</> <yellow>warning</>  <yellow>SS214</>  disabled without a reason",
        "<dim>a.yaml:2:3:</>   <cyan>info</>     <cyan>SS202</>  an hour occurs twice",
    ]


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ([], "No findings"),
        ([INFO], "1 info"),
        ([INFO, ERROR, ERROR], "2 errors, 1 info"),
        ([WARNING, WARNING, INFO, INFO], "2 warnings, 2 infos"),
    ],
)
def test_findings_are_counted_by_severity(found: list[Finding], text: str) -> None:
    assert severities_text(found) == text


@pytest.mark.parametrize(
    ("text", "column", "carets"),
    [
        ("    evry: 5m", 5, "    ^^^^"),
        ("    every: 5  # five", 12, "           ^"),
        ("    every: '5 m' # five", 12, "           ^^^^^"),
        ("    crontab: 0,15 25 * *", 14, "             ^^^^^^^^^^^"),
        ("  a: {task: t, evry: 5, queue: q}", 16, "               ^^^^"),
        ("  heartbeat:", 3, "  ^^^^^^^^^"),
        ("  url: http://host#x", 8, "       ^^^^^^^^^^^^^"),
        ("  日本: 5", 3, "  ^^^^"),
    ],
)
def test_carets_are_below_the_value(text: str, column: int, carets: str) -> None:
    assert excerpted(text, column) == [f"    7 | {text}".rstrip(), f"      | {carets}"]


def test_an_empty_line_has_nothing_to_mark() -> None:
    assert excerpted("", 9) == ["    7 |"]


def test_one_field_of_a_crontab_is_marked() -> None:
    assert excerpted('    crontab: "0 25 * * *"', 17, "SS131")[1] == f"      | {' ' * 16}^^"
    assert excerpted('    crontab: "0 25 * *"', 14, "SS131")[1] == f"      | {' ' * 13}^^^^^^^^^^"


def test_a_long_line_is_cut_around_the_value() -> None:
    line = f"  {'k' * 200}: wrong{' x' * 200}"
    shown, carets = excerpted(line, 205, width=60)

    assert shown == f"    7 | …{'k' * 18}: wrong{' x' * 12} …"
    assert len(shown) == len(carets) == 60
    assert carets == f"      | {' ' * 21}{'^' * 31}"


def test_control_characters_of_a_line_are_escaped() -> None:
    shown, carets = excerpted("\t\x1b[31mevry: 5\u202e ##[error]", 7)

    assert shown == "    7 | \\u0009\\u001b[31mevry: 5\\u202e #\\u0023[error]"
    assert carets.index("^") == shown.index("evry")


def test_the_line_of_an_info_is_not_shown() -> None:
    assert findings([INFO], excerpt=lambda _: "text", width=100).splitlines() == [
        "a.yaml:2:3: info  SS202  an hour occurs twice"
    ]


def of_schedule(name: str, line: int, path: str = "a.yaml") -> Finding:
    return Finding("SS202", "an hour occurs twice", Location(path, line, 3), "use UTC", "info", schedule=name)


def test_a_finding_names_its_schedule_unless_its_message_does() -> None:
    named = Finding("SS130", "`nightly` has no timing", Location("a.yaml", 9, 3), schedule="nightly")

    assert findings([of_schedule("\x1b[31m", 2)]).splitlines()[0].endswith("SS202  \\u001b[31m: an hour occurs twice")
    assert findings([named]).endswith("SS130  `nightly` has no timing")


def test_equal_findings_are_one_line_with_the_first_names_and_lines() -> None:
    found = [of_schedule(f"job-{number}", number) for number in range(1, 7)] + [of_schedule("b", 8, "b.yaml")]

    assert findings(found).splitlines() == [
        "a.yaml:1:3: info  SS202  7 schedules: an hour occurs twice",
        "  job-1 (line 1), job-2 (line 2), job-3 (line 3), job-4 (line 4), job-5 (line 5) and 2 more",
        "  hint: use UTC",
    ]
    assert findings(found, verbose=True).splitlines()[1:] == [
        "  hint: use UTC",
        "      job-1 (line 1), job-2 (line 2), job-3 (line 3), job-4 (line 4),",
        "      job-5 (line 5), job-6 (line 6), b (b.yaml:8)",
    ]


def test_findings_with_other_hints_marks_or_environments_stay_apart() -> None:
    first, second = of_schedule("a", 1), of_schedule("b", 2)

    assert len(findings([first, replace(second, hint=None)]).splitlines()) == 3
    assert len(findings([first, replace(second, environments=("eu",))]).splitlines()) == 4
    assert len(findings([first, second], mark=lambda each: "!" * (each.schedule == "a")).splitlines()) == 4


def test_equal_findings_without_names_are_counted_as_places() -> None:
    found = [Finding("SS122", "`task` is missing", Location("a.yaml", line, 3)) for line in (1, 5)]

    assert findings(found).splitlines() == [
        "a.yaml:1:3: error  SS122  2 places: `task` is missing",
        "  line 1, line 5",
    ]


def test_equal_errors_of_two_files_are_two_lines() -> None:
    found = [Finding("SS115", "a merge conflict", Location(path, 3, 1)) for path in ("a.yaml", "b.yaml")]

    assert len(findings(found).splitlines()) == 2
