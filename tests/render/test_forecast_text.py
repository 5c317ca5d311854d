"""A forecast in a terminal: the table, the runs of a few schedules, and the load in words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from itertools import islice
from zoneinfo import ZoneInfo

import pytest

from schedsync.calendar.forecast import Forecast, Outlook
from schedsync.calendar.load import load_of
from schedsync.calendar.stock_beat import slots
from schedsync.calendar.window import week_of
from schedsync.calendar.words import frequency
from schedsync.core.schedule import Schedule
from schedsync.core.timing import Clocked, Interval, Timing
from schedsync.render.load.sentences import minutes_words
from schedsync.render.terminal.forecast import View, text
from tests.calendar.test_slots import cron, schedule

#: A Friday evening.
NOW = datetime(2026, 11, 27, 18, 5, 10, tzinfo=timezone.utc)
NEXT_YEAR = datetime(2027, 11, 5, 8, tzinfo=timezone.utc)
BERLIN = "Europe/Berlin"
SHOP: Mapping[str, Timing] = {
    "heartbeat": Interval(5 * 10**6),
    "sync-acme": cron("8,23,38,53 * * * *", BERLIN),
    "nightly-report": cron("0 2 * * *", BERLIN),
    "crm-push": Interval(1800 * 10**6),
}


def outlook(each: Schedule, count: int) -> Outlook:
    timing = each.spec.timing
    is_counted = isinstance(timing, Interval)
    runs = tuple(islice(slots(timing, NOW), count))
    how_often = "once" if isinstance(timing, Clocked) else frequency(timing)
    return Outlook(each.name, timing, runs, how_often, NOW if is_counted else None)


def forecast_of(*schedules: Schedule, count: int = 2) -> Forecast:
    load = load_of(schedules, week_of(NOW), slots)
    return Forecast(NOW, tuple(outlook(each, count) for each in schedules), load, slots)


def made(timings: Mapping[str, Timing], count: int = 2) -> Forecast:
    return forecast_of(*(schedule(name, timing) for name, timing in timings.items()), count=count)


def shown(value: Forecast, **view: object) -> list[str]:
    return text(value, view=View(now=NOW, **view)).splitlines()  # type: ignore[arg-type]


def test_schedules_are_a_table() -> None:
    assert shown(made(SHOP)) == [
        "name            timing                         runs          next two, Europe/Berlin",
        "heartbeat       every 5s                       17,280 a day  from its last run",
        "sync-acme       every hour at :08 :23 :38 :53  96 a day      Fri 27 Nov 19:08 · 19:23",
        "nightly-report  daily 02:00                    1 a day       Sat 28 Nov 02:00 · Sun 29 Nov 02:00",
        "crm-push        every 30m                      48 a day      from its last run",
        "",
        "Load: about 145 starts a day, at most 1 a minute; and 12 a minute, steadily: heartbeat",
        "  about 48 starts a day in minutes that only the last runs tell (`--against`): crm-push",
        "No minute stands out (--map draws the week)",
    ]  # fmt: skip


def test_where_the_table_is_too_wide_each_schedule_has_two_lines() -> None:
    value = made(SHOP)

    assert shown(value, width=96)[0].startswith("name  ")
    assert shown(value, width=95)[:9] == [
        "Next two runs, Europe/Berlin",
        "heartbeat  every 5s",
        "    17,280 a day, from its last run",
        "sync-acme  every hour at :08 :23 :38 :53",
        "    96 a day, Fri 27 Nov 19:08 · 19:23",
        "nightly-report  daily 02:00",
        "    1 a day, Sat 28 Nov 02:00 · Sun 29 Nov 02:00",
        "crm-push  every 30m",
        "    48 a day, from its last run",
    ]


def test_where_zones_differ_each_run_has_its_zone() -> None:
    lines = shown(made({"a": cron("0 2 * * 6", BERLIN), "b": cron("0 2 * * *"), "c": Clocked(NEXT_YEAR)}))

    assert lines[:4] == [
        "name  timing                            runs      next two",
        "a     Sat 02:00                         1 a week  Sat 28 Nov 02:00 · Sat 5 Dec 02:00 Europe/Berlin",
        "b     daily 02:00                       1 a day   Sat 28 Nov 02:00 · Sun 29 Nov 02:00 UTC",
        "c     once at Fri 5 Nov 2027 08:00 UTC  once      Fri 5 Nov 2027 08:00 UTC",
    ]  # fmt: skip


def test_the_table_says_why_a_schedule_has_no_run() -> None:
    value = made({"a": cron("0 2 * * *")})
    off = Outlook("off", cron("0 2 * * *"), (), "disabled: summer\x1b time")

    lines = shown(Forecast(NOW, (*value.outlooks, off, Outlook("gone", Clocked(NOW), (), "once")), value.load, slots))

    assert [line.split("  ")[-1].strip() for line in lines[2:4]] == ["no run: summer\\u001b time", "no run"]


def test_every_run_of_one_schedule_is_listed_in_its_zone_and_in_utc() -> None:
    lines = shown(made({"nightly": cron("30 0 * * *", BERLIN)}, count=3), each_run=True)

    assert lines == [
        "nightly  daily 00:30 Europe/Berlin, 1 a day",
        "  Europe/Berlin     UTC",
        "  Sat 28 Nov 00:30  Fri 27 Nov 23:30",
        "  Sun 29 Nov 00:30  Sat 28 Nov 23:30",
        "  Mon 30 Nov 00:30  Sun 29 Nov 23:30",
        "",
        "Load: about 1 start a day, at most 1 a minute",
        "No minute stands out (--map draws the week)",
    ]


def test_an_interval_says_from_when_it_is_counted() -> None:
    value = made({"push": Interval(1800 * 10**6)})
    known = Outlook("push", Interval(1800 * 10**6), value.outlooks[0].runs, "48 a day", NOW - timedelta(minutes=5))

    assert shown(value, each_run=True)[1:4] == [
        "  counted from Fri 27 Nov 18:05:10 UTC, because its last run is not known (--against)",
        "  UTC",
        "  Fri 27 Nov 18:35:10",
    ]
    assert (
        shown(Forecast(NOW, (known,), value.load, slots), each_run=True)[1] == "  counted from Fri 27 Nov 18:00:10 UTC"
    )
    assert "Fri 27 Nov 18:35:10 · 19:05:10" in shown(Forecast(NOW, (known,), value.load, slots))[1]


def test_of_many_schedules_the_first_are_shown_and_all_are_counted() -> None:
    value = made({f"s{number}": cron("0 2 * * *") for number in range(60)})

    lines = shown(value)

    assert len([line for line in lines if "daily 02:00  " in line]) == 50
    assert "and 10 more schedules (name some, such as `'sync-*'`, or list all: --verbose)" in lines
    assert "Load: about 60 starts a day, at most 60 a minute" in lines
    assert len([line for line in shown(value, most=None) if "daily 02:00  " in line]) == 60


def test_minutes_that_stand_out_are_grouped_by_their_pattern() -> None:
    together = {f"sync-{number}": cron("8,23,38,53 * * * *") for number in range(3)}
    nightly = {f"night-{number}": cron("0 2 * * 1-5") for number in range(7)}

    lines = shown(made({**together, **nightly}))

    assert lines[-3:] == [
        "  7 start together Mon to Fri 02:00 UTC: night-0, night-1, night-2, night-3, night-4 and 2 more",
        "  3 start together every hour at :08 :23 :38 :53 UTC: sync-0, sync-1, sync-2",
        "(--map draws the week)",
    ]


def test_queues_are_told_where_there_is_more_than_one() -> None:
    daily, often = cron("0 2 * * *"), Interval(5 * 10**6)
    schedules = [schedule("a", daily, queue="reports"), schedule("b", daily), schedule("c", often)]

    lines = shown(forecast_of(*schedules))

    assert [line for line in lines if "queue" in line] == [
        "  queue (default): about 1 start a day, at most 1 a minute; and 12 a minute, steadily",
        "  queue reports: about 1 start a day, at most 1 a minute",
    ]
    assert not [line for line in shown(made(SHOP)) if "queue" in line]


def test_few_queues_are_told_and_the_others_counted() -> None:
    schedules = [schedule(f"s{number}", cron("0 2 * * *"), queue=f"q{number:02}") for number in range(13)]

    lines = [line for line in shown(forecast_of(*schedules)) if "queue" in line]

    assert (len(lines), lines[-1]) == (11, "  and 3 more queues")


@pytest.mark.parametrize(
    ("timings", "sentence"),
    [
        ({"a": Interval(5 * 10**6)}, "Load: 12 a minute, steadily: a"),
        ({"a": cron("0 2 * * 1")}, "Load: 1 start in 7 days, at most 1 a minute"),
        ({"a": Clocked(NOW - timedelta(days=1))}, "Load: no starts"),
        ({"a": Interval(60 * 10**6), "b": cron("* * * * *")}, "Load: 2 a minute, steadily: a, b"),
    ],
)
def test_the_load_is_one_sentence(timings: Mapping[str, Timing], sentence: str) -> None:
    assert sentence in shown(made(timings))


def test_an_empty_set_says_so() -> None:
    assert shown(made({})) == ["the set holds no schedule"]


def test_the_map_leaves_steady_load_out_and_has_whole_days() -> None:
    lines = shown(made({**SHOP, "more": cron("0 2 * * *", BERLIN)}), with_maps=True)
    first = lines.index("Worst minute of each hour, UTC")
    week = lines[first + 2 : first + 10]

    assert [line[2:12].strip() for line in week] == [
        "Fri 27 Nov", "Sat 28 Nov", "Sun 29 Nov", "Mon 30 Nov", "Tue 1 Dec", "Wed 2 Dec", "Thu 3 Dec", "Fri 4 Dec",
    ]  # fmt: skip
    assert len(set(week[0][14:50])) == 1, "the hours that are over are blank"
    assert week[1][14:18] == "░░▓▓"
    assert "(--map draws the week)" not in lines
    assert any("blank: outside of the week" in line for line in lines)


@pytest.mark.parametrize(("width", "cells"), [(100, 60), (66, 60), (65, 30), (60, 30), (None, 60)])
def test_the_maps_fit_a_narrow_terminal(width: int | None, cells: int) -> None:
    lines = shown(made({"a": cron("0 2 * * *"), "b": cron("0 2 * * *")}), with_maps=True, width=width)
    first = next(number for number, line in enumerate(lines) if line.startswith("Worst minute of each hour"))
    [row] = [line for line in lines if line.startswith("  02  ")]

    assert len(row) == 6 + cells
    assert row[7:] == "·" * (cells - 1)
    assert max(len(line) for line in lines[first:]) <= (width or 100)


def test_the_legend_of_a_map_has_ranges() -> None:
    lines = shown(made({f"s{number}": cron("0 3 * * *") for number in range(9)}), with_maps=True)
    first = lines.index("Worst minute of each hour, UTC")

    assert lines[first + 3] == "  Sat 28 Nov  ······██········································"
    assert [line.strip() for line in lines[first + 10 : first + 12]] == [
        "· none  ░ 1 to 3  ▒ 4 to 5  ▓ 6 to 7  █ 8 to 9 starts per minute",
        "blank: outside of the week",
    ]


@pytest.mark.parametrize(("width", "lines"), [(120, 1), (60, 2), (None, 1)])
def test_a_legend_breaks_between_its_ranges(width: int | None, lines: int) -> None:
    value = made({f"s{number}": cron("0 3 * * *") for number in range(200)})
    found = shown(value, with_maps=True, width=width)
    first = next(number for number, line in enumerate(found) if "· none" in line)
    legend = found[first : first + lines]

    assert legend[-1].endswith(" to 200 starts per minute")
    assert all(re.search(r"(\d|none|minute)$", line) for line in legend)
    assert width is None or max(map(len, legend)) <= width


def minutes(*instants: str) -> list[datetime]:
    return [datetime.fromisoformat(f"2026-{instant}+00:00") for instant in instants]


@pytest.mark.parametrize(
    ("instants", "words"),
    [
        (["11-28 02:00"], "Sat 28 Nov 02:00 UTC"),
        (["11-28 02:00", "11-28 02:07"], "Sat 28 Nov 02:00 and Sat 28 Nov 02:07 UTC"),
        (["11-28 02:00", "11-28 02:07", "11-29 01:00"], "Sat 28 Nov 02:00, Sat 28 Nov 02:07 UTC and 1 more minute"),
        (["11-28 02:00", "11-29 02:00"], "Sat and Sun 02:00 UTC"),
        (["11-28 02:00", "11-28 03:30", "11-29 02:00", "11-29 03:30"], "Sat and Sun 02:00 and 03:30 UTC"),
    ],
)
def test_the_words_of_the_minutes_of_a_week(instants: list[str], words: str) -> None:
    assert minutes_words(minutes(*instants), now=NOW) == words


def test_a_pattern_of_one_week_is_no_rule() -> None:
    def crowd(timing: Timing) -> str:
        lines = shown(made(dict.fromkeys("abc", timing)))
        return next(line for line in lines if "3 start together" in line)

    assert crowd(cron("0 2 * * *")) == "  3 start together daily 02:00 UTC: a, b, c"
    assert crowd(cron("0 2 27-30,1-7 * *")) == "  3 start together daily 02:00 UTC in this week: a, b, c"
    assert crowd(cron("30 5 * nov,dec *")) == "  3 start together daily 05:30 UTC in this week: a, b, c"


def test_the_words_of_minutes_are_in_a_zone() -> None:
    days = minutes(*(f"11-{day} 23:30" for day in range(23, 30)))

    assert minutes_words(days, ZoneInfo(BERLIN), NOW) == "daily 00:30 Europe/Berlin"


@pytest.mark.parametrize("view", [{}, {"each_run": True}, {"width": 60}, {"with_maps": True}])
def test_names_from_outside_stay_in_their_line(view: Mapping[str, object]) -> None:
    hostile = "::error::a\n::error::b\x1b[31m##[error]c"
    mild = [schedule(f"s{number}", cron("0 2 * * *"), queue=f"q{number}") for number in range(3)]
    wild = [schedule(f"{hostile}{number}", cron("0 2 * * *"), queue=f"{hostile}{number}") for number in range(3)]

    lines = shown(forecast_of(*wild), **view)

    assert len(lines) == len(shown(forecast_of(*mild), **view))
    assert not [line for line in lines if line.lstrip().startswith("::") or "\x1b" in line or "##[" in line]
    assert any(line.startswith("\\u003a:error::a\\u000a::error::b\\u001b[31m") for line in lines)
