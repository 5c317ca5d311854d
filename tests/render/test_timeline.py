"""A timeline as text, and as SVG."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from xml.etree import ElementTree

import pytest

from schedsync.calendar.stock_beat import slots
from schedsync.calendar.timeline import KnownRuns, Timeline, timeline_of, window_until
from schedsync.core.schedule import Schedule
from schedsync.core.timing import Interval
from schedsync.render.load import lanes
from schedsync.render.page import timeline as page
from schedsync.render.terminal.columns import width_of
from schedsync.render.terminal.timeline import timeline
from tests.calendar.test_slots import cron, schedule
from tests.calendar.test_timeline import NOW, queued

DAY = timedelta(days=1)


def shop() -> list[Schedule]:
    return [
        schedule("heartbeat", Interval(10**6)),
        queued("nightly-report", cron("0 2 * * *"), "reports"),
        queued("office-hours-with-a-name-that-is-much-too-long", cron("*/5 9-17 * * *"), "reports"),
        queued("hourly", cron("5 * * * *"), "reports"),
        queued("crm-push", Interval(1800 * 10**6), "crm"),
    ]


def drawn(*schedules: Schedule, length: timedelta = DAY, known: KnownRuns | None = None) -> Timeline:
    return timeline_of(schedules, window_until(NOW, NOW + length), slots, known)


def test_a_terminal_has_a_line_for_each_lane() -> None:
    assert list(timeline(drawn(*shop()))) == [
        "24 hours from Mon 23 Nov 10:00, UTC",
        "",
        "without a queue: 1 schedule, 86,452 runs, at most 60 a minute (10:01)",
        "                             10  12  14  16  18  20  22  00  02  04  06  08  10",
        "  heartbeat                  ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒  1 a second",
        "",
        "queue reports: 3 schedules, 133 runs, at most 2 a minute (10:05)",
        "                             10  12  14  16  18  20  22  00  02  04  06  08  10",
        "  hourly                     ●·●·●·●·●·●·●·●·●·●·●·●·●·●·●·●·●·●·●·●·●·●·●·●··  24 runs",
        "  office-hours-with-a-name…  ▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒▒······························▒▒▒  108 runs",
        "  nightly-report             ································●················  02:00",
        "",
        "queue crm: 1 schedule, 48 runs",
        "                             10  12  14  16  18  20  22  00  02  04  06  08  10",
        "  crm-push                   ░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░░  2 an hour",
        "",
        "● a run   ▒ runs close together   ░ at unknown minutes   a cell is 30 minutes",
        "of intervals only the last run tells the minutes: give a snapshot, which has it (`--against`)",
        "how long runs take is not in the files: each is drawn as a point",
    ]


def test_a_run_is_as_long_as_runs_were() -> None:
    known = KnownRuns({"nightly": 7200.0}, {"nightly": NOW - timedelta(minutes=5)})
    lines = list(timeline(drawn(schedule("nightly", cron("0 14 * * *")), known=known)))

    assert lines[4:] == [
        "  nightly  ━━━━····●━━━━····································  14:00, 2h each, runs since 09:55",
        "",
        "● a run   ━ as long as it takes   a cell is 30 minutes",
    ]


@pytest.mark.parametrize("width", [None, 20, 60, 80, 100, 300])
@pytest.mark.parametrize("length", [timedelta(minutes=1), DAY, 7 * DAY, 31 * DAY])
def test_no_line_is_wider_than_the_terminal(width: int | None, length: timedelta) -> None:
    lines = list(timeline(drawn(*shop(), length=length), width=width))

    assert max(map(width_of, lines)) <= max(60, min(width or 100, 100))


def test_nothing_to_run_is_said() -> None:
    value = drawn()

    assert list(timeline(value))[1] == "no schedule runs in this time"
    assert "no schedule runs in this time" in page.alone(value)


@pytest.mark.parametrize(
    ("starts", "time", "words"),
    [
        (86_400, DAY, "1 a second"),
        (1440, DAY, "1 a minute"),
        (59, timedelta(hours=1), "1 a minute"),
        (96, DAY, "4 an hour"),
        (2, DAY, "2 a day"),
        (1, 31 * DAY, "1 a day"),
    ],
)
def test_a_rate_has_the_unit_that_fits(starts: int, time: timedelta, words: str) -> None:
    assert lanes.rate_text(starts, time) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "under 1s"), (59.6, "1m"), (252, "4m 12s"), (7260, "2h 1m"), (90_000, "1d 1h")]
)
def test_a_duration_has_two_units_at_most(seconds: float, words: str) -> None:
    assert lanes.seconds_text(seconds) == words


@pytest.mark.parametrize("write", [page.alone, page.within_a_page])
@pytest.mark.parametrize("length", [timedelta(minutes=1), DAY, 31 * DAY])
def test_the_picture_is_sound_and_says_what_it_shows(write: Callable[[Timeline], str], length: timedelta) -> None:
    hostile = queued("<b>&\"'", cron("* * * * *"), "<q>&\"'")
    value = drawn(*shop(), hostile, length=length, known=KnownRuns({"hourly": 4000.0}))
    root = ElementTree.fromstring(write(value))

    assert root.get("role") == "img"
    assert "queue <q>" in (root.get("aria-label") or "")
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        if rect.get("class") != "ground":
            assert 0 <= float(rect.get("x", "")) <= float(rect.get("x", "")) + float(rect.get("width", "")) <= 790


def test_the_picture_within_a_page_has_neither_rules_nor_scripts() -> None:
    markup = page.within_a_page(drawn(*shop()))

    assert "style" not in markup
    assert "<script" not in markup


def test_times_are_those_of_the_zone_of_the_crontabs() -> None:
    berlin = schedule("nightly", cron("0 2 * * *", "Europe/Berlin"))

    assert lanes.title(drawn(berlin)) == "24 hours from Mon 23 Nov 11:00, Europe/Berlin"
