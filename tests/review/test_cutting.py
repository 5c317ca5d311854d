"""A comment that is too long keeps what a reviewer must see, and says what is missing and where it is."""

from __future__ import annotations

import re

import pytest

from schedsync.render.comment import markdown
from tests.render.test_hostile import gfm
from tests.review.repository import Checkout

GONE = '  gone: {task: t.gone, crontab: "0 3 * * *", only_in: [production]}\n'


def jobs(count: int, value: str, **more: str) -> str:
    """Return schedules whose changes are all different, in two environments."""
    extra = "".join(f", {key}: {text}" for key, text in more.items())
    return "".join(
        f"  job-{number}: {{task: t.j{number}, every: 1h, queue: {value}-{number}-{'q' * 40}, "
        f"only_in: [staging, production]{extra}}}\n"
        for number in range(count)
    )


@pytest.fixture
def two(checkout: Checkout) -> Checkout:
    """A set with two environments in which the limits allow everything."""
    checkout.write(
        'environments = ["staging", "production"]\n[safety]\nmax_stops = 9999\nmax_stop_percent = 100\n',
        "schedsync.toml",
    )
    return checkout


def rows(said: str) -> set[str]:
    return set(re.findall(r"`(job-\d+)`", said))


def test_a_delete_in_one_environment_is_not_lost_among_600_updates(two: Checkout) -> None:
    two.schedules(jobs(600, "before") + GONE)
    two.commit()
    two.schedules(jobs(600, "after"))
    said, summary = (two.review("--format", format_).out for format_ in ("markdown", "summary"))
    head = said.partition("<details>")[0]

    assert 55_000 < len(said) <= markdown.COMMENT.limit
    assert "- `gone` deleted · `production` · " in head
    assert said.startswith("### Schedules: 1 stops in `production` · ")
    assert said.index("`gone` deleted") < said.index("| `production` |") < said.index("`job-0` updated")
    assert "| `staging` | 0 | 600 | 0 |" in head
    assert "| `production` | 1 | 600 | 1 |" in head
    missing = 600 - len(rows(said))
    assert f"**{missing} schedules are left out here, because not everything fits.** `--format summary`" in head
    assert f"… and {missing} schedules more" in said
    assert gfm(said).stack == []
    assert (len(rows(summary)), "left out" in summary) == (600, False)


def test_a_short_comment_says_nothing_of_what_is_missing(two: Checkout) -> None:
    two.schedules(jobs(6, "before") + GONE)
    two.commit()
    two.schedules(jobs(6, "after"))

    assert two.review("--format", "markdown").out == two.review("--format", "summary").out


def test_stops_of_one_environment_leave_room_for_those_of_another(two: Checkout) -> None:
    stops = "".join(
        f'  job-{number}: {{task: t.j{number}, every: 1h, only_in: [staging], kwargs: {{a: "{"x" * 80}"}}}}\n'
        for number in range(900)
    )
    paused = '  pay: {task: pay, crontab: "0 4 * * *", environments: {production: {enabled: %s}}}\n'
    two.schedules(stops + GONE + paused % "true")
    two.commit()
    two.schedules(paused % "false" + "  new: {task: n, every: 1d}\n")
    said = two.review("--format", "markdown").out

    assert len(said) <= markdown.COMMENT.limit
    assert "- `gone` deleted · `production` · " in said
    assert re.search(r"- `pay` disabled · `production` · .*\n.*stops", said)
    assert "- `new` created · `staging`, `production` · " in said
    assert f"**{900 - len(rows(said))} schedules are left out here" in said


def test_thousands_of_equal_stops_are_named_as_far_as_they_fit(two: Checkout) -> None:
    tenants = ", ".join(f"tenant-number-{number:04}" for number in range(5000))
    fan = "  sync-{t}: {task: t, every: 1h, for_each: {t: [%s]}}\n"
    two.schedules(fan % tenants + GONE)
    two.commit()
    two.schedules("  other: {task: o, every: 1h}\n")
    said, summary = (two.review("--allow-stops", "9999", "--format", name).out for name in ("markdown", "summary"))
    shown = len(set(re.findall(r"`(sync-tenant-number-\d+)`", said)))

    assert len(said) <= markdown.COMMENT.limit
    assert f"**{5000 - shown:,} schedules are left out here" in said
    assert "`sync-{t}: 5,000 schedules`" in said
    assert "- `gone` deleted · `production` · " in said
    assert len(set(re.findall(r"`(sync-tenant-number-\d+)`", summary))) == 5000


def test_new_errors_are_not_lost_among_warnings_and_changes(two: Checkout) -> None:
    two.write((two.root / "schedsync.toml").read_text() + "[lint]\nextend_select = ['SS215']\n", "schedsync.toml")
    two.schedules("")
    two.commit()
    two.schedules(jobs(700, "after", priority="3"))
    two.write('version: 1\nschedules:\n  zz: {task: t, crontab: "61 * * * *"}\n', "schedules/zz.yaml")
    said = two.review("--format", "markdown").out

    assert len(said) <= markdown.COMMENT.limit
    assert re.search(r"\[SS131\]\(\S+\) error: ", said)
    assert re.search(r"\*\*\d+ schedules and \d+ findings are left out here", said)


def test_a_summary_has_a_limit_too_and_says_so(two: Checkout) -> None:
    two.schedules("")
    two.commit()
    two.schedules(jobs(9000, "ä" * 20))
    said = two.review("--format", "summary").out

    assert 900_000 < len(said.encode()) <= 1_000_000
    assert f"**{9000 - len(rows(said)):,} schedules are left out here, because not everything fits.**" in said
    assert "`--format json` lists all of it" in said


def test_new_errors_are_kept_before_other_findings(two: Checkout) -> None:
    two.write((two.root / "schedsync.toml").read_text() + "[lint]\nextend_select = ['SS215']\n", "schedsync.toml")
    two.schedules("")
    two.commit()
    two.schedules(jobs(400, "after"))
    bad = "".join(f'  zz-{number}: {{task: t, crontab: "6{number % 10} * * * *"}}\n' for number in range(60))
    two.write(f"version: 1\nschedules:\n{bad}", "schedules/zz.yaml")
    said = two.review("--format", "markdown").out
    severities = re.findall(r"^- \[SS\d+\]\(\S+\) (\w+): ", said, flags=re.MULTILINE)

    assert "findings are left out here" in said
    assert severities[:60].count("error") == len(severities[:60])
