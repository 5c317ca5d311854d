"""A line of a file is shown below a finding, unless it may hold a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.files.excerpts import Excerpts, may_hold_secret


def finding(path: Path, line: int, code: str = "SS120") -> Finding:
    return Finding(code, "wrong", Location(path.as_posix(), line, 1))


def shown(path: Path, *lines: int) -> list[str | None]:
    found = [finding(path, line) for line in lines]
    excerpts = Excerpts(found)
    return [excerpts(each) for each in found]


@pytest.mark.parametrize(
    "line",
    [
        "password: hunter22",
        "  api_key : x",
        '  "token": "x"',
        "a: {task: t, password: hunter22}",
        "url: https://user:hunter22@host/",
        "note: ghp_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "kwargs: {customer: 5}",
        "args: [5]",
        'x-words: [login, "--password", "hunter22"]',
        "headers: {a: b}",
    ],
)
def test_a_line_with_arguments_or_with_a_secret_is_not_shown(line: str) -> None:
    assert may_hold_secret([line], 0)


@pytest.mark.parametrize(
    "text",
    [
        "kwargs:\n  customer: 5",
        "kwargs:\n  a:\n\n    # comment\n    - 5",
        "args:\n- 5",
        "a:\n  args:\n  - --password\n  - hunter22",
        "password:\n  - hunter22",
        "x-words: &words\n  - --password\n  - hunter22",
        "password: |\n  hunter22",
        "x: {password:\nhunter22}",
        "{\n password:\n hunter22",
        "{\n password\n :\n hunter22",
        "? password\n: hunter22",
        "  kwargs: {a: 1,\n    b: 2}",
    ],
)
def test_a_line_below_arguments_or_below_a_secret_s_key_is_not_shown(text: str) -> None:
    lines = text.splitlines()

    assert may_hold_secret(lines, len(lines) - 1)


@pytest.mark.parametrize(
    "text",
    [
        "version: 1\nschedules:\n  a:\n    kwargs:\n      password: x\n    evry: 5m",
        "version: 1\nschedules:\n  a:\n    kwargs: {password: x}\n  b:\n    evry: 5m",
        "removed:\n- a\n- b",
        "  task: shop.tasks.report",
    ],
)
def test_a_line_beside_arguments_is_shown(text: str) -> None:
    lines = text.splitlines()

    assert not may_hold_secret(lines, len(lines) - 1)


def test_lines_are_counted_as_an_editor_does(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_bytes("\ufeffversion: 1\r\nname: a\u2028b\rlast: 1".encode())

    assert shown(path, 1, 2, 3, 4, 0) == ["version: 1", "name: a\u2028b", "last: 1", None, None]


def test_a_line_with_a_finding_about_a_secret_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\nb: 2\n")
    found = [finding(path, 1), finding(path, 1, "SS212"), finding(path, 2), finding(path, 2, "SS113")]
    excerpts = Excerpts(found)

    assert [excerpts(each) for each in found] == [None] * 4


def test_only_files_of_schedules_are_shown(tmp_path: Path) -> None:
    outside, link, text = tmp_path / "outside.yaml", tmp_path / "link.yaml", tmp_path / "tenants.txt"
    outside.write_text("a: 1\n")
    text.write_text("acme\n")
    link.symlink_to(outside)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"a: \xe9\n")

    for path in (link, text, latin, tmp_path / "missing.yaml", tmp_path):
        assert shown(path, 1) == [None]
    assert Excerpts([])(finding(outside, 1, "SS105")) is None
    assert Excerpts([])(Finding("SS310", "nowhere")) is None


def test_a_long_line_and_the_end_of_a_long_list_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("a: 1\n" * 60 + f"b: {'x' * 1_000}\n")

    assert shown(path, 61) == [None]
    assert shown(path, *range(1, 61)) == ["a: 1"] * 50 + [None] * 10


def test_a_line_far_down_is_not_shown() -> None:
    assert may_hold_secret(["a: 1"] * 20_002, 20_001)
