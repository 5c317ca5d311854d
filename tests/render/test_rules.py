"""The rules as text: a list in columns, and one rule with what it finds and what it passes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from schedsync.lint import RULES
from schedsync.render.terminal.rules import rule, rules

CHOSEN = [RULES["SS201"], RULES["SS215"]]


def test_a_rule_says_what_it_finds_and_what_it_passes() -> None:
    assert rule(RULES["SS201"], width=60).splitlines() == [
        "SS201  skipped-time  warning",
        "A time that daylight saving skips at the next change of the",
        "clock.",
        "",
        "  why      When clocks go forward, one hour of the day does",
        "           not exist. Celery makes up for the runs of that",
        "           hour with a single run, later by as much as the",
        "           clock moved. If another run of the schedule is",
        "           due at that time, only one of the two happens.",
        "  remedy   Choose an hour that every day has, or set",
        "           `timezone: UTC`.",
        "  finds    nightly:",
        "             task: shop.tasks.report",
        '             crontab: "30 2 * * *"',
        "             timezone: Europe/Berlin",
        "  passes   nightly:",
        "             task: shop.tasks.report",
        '             crontab: "30 4 * * *"',
        "             timezone: Europe/Berlin",
        "  silence  end the line with # schedsync: ignore[SS201]",
    ]


def test_a_rule_says_when_it_is_checked() -> None:
    assert rule(RULES["SS215"]).splitlines()[2] == 'Off by default: extend_select = ["SS215"] under [lint] turns it on.'
    assert (
        rule(RULES["SS219"])
        .splitlines()[2]
        .startswith("Compares with the application: needs `--against FILE`, a snapshot.")
    )
    assert rule(replace(RULES["SS201"], package="acme 1.0")).splitlines()[2] == "From the package acme 1.0."


def test_a_rule_without_examples_has_no_lines_for_them() -> None:
    bare = replace(RULES["SS201"], why="", remedy="", bad="", good="")

    assert rule(bare).splitlines()[2:] == ["", "  silence  end the line with # schedsync: ignore[SS201]"]


@pytest.mark.parametrize("width", [60, 80, 100])
def test_every_rule_fits_the_terminal(width: int) -> None:
    texts = [rules(list(RULES.values()), width=width), *(rule(value, width=width) for value in RULES.values())]
    lines = [line for text in texts for line in text.splitlines()]

    assert [line for line in lines if len(line) > width] == []
    assert [line for line in lines if line.startswith(("#", "```"))] == []


def test_rules_are_listed_in_columns() -> None:
    assert rules(CHOSEN).splitlines() == [
        "SS201  skipped-time   warning  a time that daylight saving skips at the next change of the clock",
        "SS215  owner-missing  off      a schedule without an `owner`",
    ]
    assert rules(CHOSEN, width=80).splitlines() == [
        "SS201  skipped-time   warning  a time that daylight saving skips at the next",
        "                               change of the clock",
        "SS215  owner-missing  off      a schedule without an `owner`",
    ]


def test_a_narrow_list_has_the_text_below_the_name() -> None:
    assert rules(CHOSEN, width=60).splitlines() == [
        "SS201  skipped-time   warning",
        "       a time that daylight saving skips at the next change",
        "       of the clock",
        "SS215  owner-missing  off",
        "       a schedule without an `owner`",
    ]


def test_the_package_of_a_rule_can_break_no_line() -> None:
    hostile = replace(RULES["SS201"], package="acme\n::error::x", why="a\x1b[31mb")

    assert "\n::" not in rules([hostile]) + rule(hostile)
    assert "\x1b" not in rule(hostile)
