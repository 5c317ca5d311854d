"""The lines that ``fmt --diff`` shows: each change, few lines more, and never a comparison of all with all."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from schedsync.files.formatting.canonical import canonical_text
from schedsync.files.formatting.line_diff import line_diff
from tests.files.formatting.styles import files

HUNK = re.compile(r"@@ -(\d+),(\d+) \+(\d+),(\d+) @@")


def patched(text: str, diff: list[str]) -> str:
    """Apply a diff as `patch` does, and check that it fits the text and its own counts."""
    old, new, done = text.split("\n"), [], 0
    for at, line in enumerate(diff):
        if found := HUNK.fullmatch(line):
            start, count, _, after = map(int, found.groups())
            body = list(hunk(diff[at + 1 :]))
            start -= count > 0
            new += old[done:start]
            assert [one[1:] for one in body if one[0] in " -"] == old[start : start + count]
            added = [one[1:] for one in body if one[0] in " +"]
            assert len(added) == after
            new, done = new + added, start + count
    return "\n".join([*new, *old[done:]])


def hunk(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if HUNK.fullmatch(line):
            return
        yield line


def long_file(count: int, every: str = "60s", head: str = "") -> str:
    lines = "".join(f"  s{number}:\n    task: t\n    every: {every}\n" for number in range(count))
    return f"version: 1\n{head}schedules:\n{lines}"


def test_two_changes_that_are_near_are_one_hunk() -> None:
    before = long_file(4).replace("60s", "1m", 1).replace("60s", "1m", 1)

    assert list(line_diff(before, canonical_text(before))) == [
        "@@ -8,7 +8,7 @@",
        "     every: 1m",
        "   s2:",
        "     task: t",
        "-    every: 60s",
        "+    every: 1m",
        "   s3:",
        "     task: t",
        "-    every: 60s",
        "+    every: 1m",
    ]


def test_equal_texts_have_no_diff() -> None:
    assert list(line_diff(long_file(2), long_file(2))) == []


def test_a_line_break_at_the_end_is_a_change() -> None:
    assert list(line_diff("version: 1", "version: 1\n")) == [
        "@@ -1,1 +1,1 @@",
        "-version: 1",
        "\\ No newline at end of file",
        "+version: 1",
    ]


@given(files())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.large_base_example])
def test_the_diff_of_any_file_leads_to_its_canonical_form(text: str) -> None:
    before = text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n") + "\n"
    after = canonical_text(before)

    assert patched(before, list(line_diff(before, after))) == after


def test_the_time_grows_with_the_length() -> None:
    counts = []
    for size in (300, 600):
        before = long_file(size)
        counts.append(lines_run(before, canonical_text(before)))

    assert counts[1] < 2.2 * counts[0]


@pytest.mark.parametrize(
    "head",
    [
        "defaults:\n" + "".join(f"    x{number}: 60s\n" for number in range(400)),
        "x-a:\n\n\n" + "".join(f"  - {number}\n" for number in range(400)),
    ],
    ids=["the same number of lines", "fewer lines"],
)
def test_a_long_head_is_compared_place_by_place(head: str) -> None:
    before = long_file(3, "1m", head)
    after = canonical_text(before)
    diff = list(line_diff(before, after))

    assert patched(before, diff) == after
    assert sum(line[0] in "-+" for line in diff) <= 2 * before.count("    x") + 2


def lines_run(before: str, after: str) -> int:
    """Return how many lines of Python a diff takes."""
    count = 0

    def trace(frame: object, event: str, _: object) -> object:
        nonlocal count
        count += event == "line"
        return trace

    old = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]
    try:
        list(line_diff(before, after))
    finally:
        sys.settrace(old)
    return count
